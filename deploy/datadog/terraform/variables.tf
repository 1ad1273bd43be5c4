variable "notify" {
  description = "The notification channels, as in a message of Datadog: \"@slack-oncall @pagerduty-jobs\"."
  type        = string
  default     = ""
}

variable "scope" {
  description = "The scope of the monitors about Jobs, such as \"env:prod,kube_namespace:payments\"; \"*\" for everything."
  type        = string
  default     = "*"

  validation {
    condition     = var.scope != "" && !can(regex("[{}]", var.scope))
    error_message = "Write the scope without braces, such as \"env:prod\", or \"*\" for everything."
  }
}

variable "env" {
  description = "The value of the tag env of the monitors themselves; empty for none."
  type        = string
  default     = ""
}

variable "site_url" {
  description = "The address of the Datadog application, for links to logs."
  type        = string
  default     = "https://app.datadoghq.com"
}

variable "thresholds" {
  description = "Thresholds that differ from those of the files, by name of file: { cronjob-consecutive-failures = 5 }."
  type        = map(number)
  default     = {}
}

variable "disabled" {
  description = "Monitors that are not created, by name of file. job-failed and job-failed-log report the same failures."
  type        = set(string)
  default     = ["job-failed-log"]
}

variable "without_success" {
  description = "CronJobs that must succeed more often than every 8 days: a scope, and the age in hours, by a name. Three times the interval of the schedule is a good age."
  type = map(object({
    scope = string
    hours = number
  }))
  default = {}
}
