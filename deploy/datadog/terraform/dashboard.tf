resource "datadog_dashboard_json" "this" {
  dashboard = file("${path.module}/../dashboard.json")
}
