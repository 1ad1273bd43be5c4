//! `k8s_job` sends evidence, and `reason_enrichment` makes the cause of it: without that processor every event and count
//! has the cause `Unknown`. The receiver and the processor cannot see this, only the pipelines can.

use collector_config::{Config, Diagnostic, Pipeline};
use collector_data::Signal;

/// Warns of each pipeline in which events of `k8s_job` do not pass through `reason_enrichment`.
pub(crate) fn warn(config: &Config) {
    for (id, pipeline) in &config.service.pipelines {
        if id.signal != Signal::Logs || !receives_jobs(pipeline) || enriches(pipeline) {
            continue;
        }
        let path = format!("service::pipelines::{id}");
        let counts = pipeline
            .exporters
            .iter()
            .any(|named| config.connectors.contains_key(&named.value));
        let message = match counts {
            true => {
                "events of `k8s_job` do not pass through `reason_enrichment`, so events, counts and traces have no cause"
            }
            false => "events of `k8s_job` do not pass through `reason_enrichment`, so they have no cause",
        };
        let help = match config.processors.keys().find(|id| id.type_name == "reason_enrichment") {
            Some(id) => format!("add `{id}` to `processors` of this pipeline"),
            None => {
                "add `reason_enrichment:` to `processors`, and `reason_enrichment` to `processors` of this pipeline"
                    .into()
            }
        };
        let warning = Diagnostic::new(pipeline.position.clone(), path, message);
        config.warnings.push(warning.with_help(help));
    }
}

fn receives_jobs(pipeline: &Pipeline) -> bool {
    let mut receivers = pipeline.receivers.iter();
    receivers.any(|named| named.value.type_name == "k8s_job")
}

fn enriches(pipeline: &Pipeline) -> bool {
    let mut processors = pipeline.processors.iter();
    processors.any(|named| named.value.type_name == "reason_enrichment")
}

#[cfg(test)]
mod tests {
    use collector_config::{Source, read_all};

    use super::*;

    fn warnings(pipelines: &str) -> String {
        let text = format!(
            "receivers: {{k8s_job: , k8s_job/b: }}\nprocessors: {{reason_enrichment/x: }}\nconnectors: {{job_metrics: }}\n\
             exporters: {{debug: }}\nservice:\n  pipelines:\n{pipelines}"
        );
        let source = Source {
            name: "a.yaml".into(),
            text,
            adds: false,
        };
        let (config, errors) = read_all(&[source], &[], &|_| None);
        assert!(errors.is_empty(), "{errors}");
        let config = config.expect("a configuration");
        warn(&config);
        config.warnings.list().to_string()
    }

    #[test]
    fn warns_of_events_without_enrichment() {
        let found = warnings("    logs: {receivers: [k8s_job/b], exporters: [debug]}\n");
        assert_eq!(
            found,
            "a.yaml:7:5: service::pipelines::logs: events of `k8s_job` do not pass through `reason_enrichment`, so they have no \
             cause\n    add `reason_enrichment/x` to `processors` of this pipeline\n"
        );
    }

    #[test]
    fn enrichment_must_be_in_the_pipeline_that_counts() {
        let found = warnings(
            "    logs: {receivers: [k8s_job], processors: [reason_enrichment/x], exporters: [debug]}\n    \
             logs/counts: {receivers: [k8s_job], exporters: [job_metrics]}\n    \
             metrics: {receivers: [k8s_job, job_metrics], exporters: [debug]}\n",
        );
        assert!(
            found.contains("a.yaml:8:5: service::pipelines::logs/counts: ")
                && found.contains("events, counts and traces"),
            "{found}"
        );
        assert_eq!(found.matches("do not pass through").count(), 1, "{found}");
    }
}
