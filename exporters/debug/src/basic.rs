//! One line for each batch, with counts.

use collector_data::Payload;

pub(crate) fn render(payload: &Payload) -> String {
    let items = payload.items();
    match payload {
        Payload::Logs(resources) => format!("logs: resources={} records={items}\n", resources.len()),
        Payload::Traces(resources) => format!("traces: resources={} spans={items}\n", resources.len()),
        Payload::Metrics(resources) => {
            let scopes = resources.iter().flat_map(|resource| &resource.scope_metrics);
            let metrics: usize = scopes.map(|scope| scope.metrics.len()).sum();
            format!(
                "metrics: resources={} metrics={metrics} points={items}\n",
                resources.len()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn counts_resources_and_items() {
        assert_eq!(render(&samples::logs()), "logs: resources=1 records=1\n");
        assert_eq!(render(&samples::metrics()), "metrics: resources=1 metrics=5 points=5\n");
        assert_eq!(render(&samples::traces()), "traces: resources=1 spans=1\n");
    }
}
