locals {
  files = {
    for file in fileset("${path.module}/../monitors", "*.json") :
    trimsuffix(file, ".json") => jsondecode(file("${path.module}/../monitors/${file}"))
  }

  # One more monitor for each entry of without_success.
  without_success = {
    for name, entry in var.without_success :
    "cronjob-without-success-${name}" => merge(local.files["cronjob-without-success"], {
      name  = "${local.files["cronjob-without-success"].name} (${name})"
      query = replace(local.files["cronjob-without-success"].query, "{*}", "{${entry.scope}}")
    })
  }

  thresholds = merge(
    { for name, monitor in local.files : name => monitor.options.thresholds.critical },
    var.thresholds,
    { for name, entry in var.without_success : "cronjob-without-success-${name}" => entry.hours * 3600 },
  )

  monitors = {
    for name, monitor in merge(local.files, local.without_success) : name => merge(monitor, {
      # The scope applies to metrics of Jobs; those of the collector, and logs, have other tags.
      query = replace(
        startswith(name, "collector-") ? monitor.query : replace(monitor.query, "{*}", "{${var.scope}}"),
        "/(>=|>|<) [0-9.]+$/",
        "$1 ${local.thresholds[name]}",
      )
      message = trimspace("${replace(monitor.message, "https://app.datadoghq.com", var.site_url)}\n\n${var.notify}")
      tags    = concat(monitor.tags, var.env == "" ? [] : ["env:${var.env}"])
    }) if !contains(var.disabled, name)
  }
}

resource "datadog_monitor" "this" {
  for_each = local.monitors

  name     = each.value.name
  type     = each.value.type
  query    = each.value.query
  message  = each.value.message
  tags     = each.value.tags
  priority = each.value.priority

  monitor_thresholds {
    critical = local.thresholds[each.key]
  }

  include_tags           = each.value.options.include_tags
  notify_audit           = each.value.options.notify_audit
  new_group_delay        = each.value.options.new_group_delay
  notify_no_data         = try(each.value.options.notify_no_data, null)
  no_data_timeframe      = try(each.value.options.no_data_timeframe, null)
  require_full_window    = try(each.value.options.require_full_window, null)
  on_missing_data        = try(each.value.options.on_missing_data, null)
  enable_logs_sample     = try(each.value.options.enable_logs_sample, null)
  groupby_simple_monitor = try(each.value.options.groupby_simple_monitor, null)
}
