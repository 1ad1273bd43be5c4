//! The log lines of a reload: one event each, data as fields.

use collector_config::Diagnostic;
use collector_runtime::runtime::ReloadReport;
use tracing::{error, info, warn};

use super::ReloadFailure;
use crate::commands::Failure;
use crate::configuration::Findings;

/// Logs the warnings of a configuration that runs.
pub(crate) fn log_warnings(findings: &Findings) {
    for warning in &findings.warnings.0 {
        warn!("{warning}");
    }
}

pub(super) fn success(report: &ReloadReport) {
    let list = |paths: &[String]| (!paths.is_empty()).then(|| paths.join(", "));
    info!(
        added = list(&report.added),
        removed = list(&report.removed),
        changed = list(&report.changed),
        unchanged = list(&report.unchanged),
        "configuration reloaded"
    );
    if !report.aborted.is_empty() {
        error!(
            aborted = list(&report.aborted),
            "the reload lost data: these components did not end in time"
        );
    }
}

pub(super) fn failure(problem: &ReloadFailure) {
    const FAILED: &str = "reload failed: the collector continues with the configuration that runs";
    match problem {
        ReloadFailure::Configuration(Failure::Configuration(findings)) => {
            let Findings { errors, warnings, .. } = findings;
            for found in &errors.0 {
                finding(found, "invalid configuration");
            }
            if errors.is_empty() {
                for found in &warnings.0 {
                    finding(found, "with --strict this warning is an error");
                }
            } else {
                log_warnings(findings);
            }
            error!(errors = errors.0.len(), warnings = warnings.0.len(), "{FAILED}");
        }
        other => error!(error = other.summary(), "{FAILED}"),
    }
}

fn finding(found: &Diagnostic, message: &str) {
    error!(
        position = found.position.as_ref().map(tracing::field::display),
        key = (!found.path.is_empty()).then_some(&*found.path),
        error = found.message,
        help = found.help,
        "{message}"
    );
}
