output "dashboard_url" {
  description = "The path of the dashboard in the Datadog application."
  value       = datadog_dashboard_json.this.url
}

output "monitor_ids" {
  description = "The monitors by name of file."
  value       = { for name, monitor in datadog_monitor.this : name => monitor.id }
}
