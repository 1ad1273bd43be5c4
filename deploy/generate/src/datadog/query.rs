//! The metrics and tags that a query of Datadog names.

use std::collections::BTreeSet;

/// One metric in a query: `sum:k8s.job.failures{env:prod} by {cause}.as_count()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The aggregation over series: `sum`, `max`, `p95`.
    pub aggregation: String,
    /// The metric.
    pub metric: String,
    /// Tags in the scope and in the grouping.
    pub tags: BTreeSet<String>,
    /// True with `.as_count()`.
    pub is_count: bool,
}

/// The metrics of a query; none if it is not a metric query.
pub fn selected(query: &str) -> Vec<Selected> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((scope, mut tail)) = after.split_once('}') else {
            break;
        };
        let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_')));
        let name = before[start.map_or(0, |start| start + 1)..].rsplit_once(':');
        let mut tags: BTreeSet<String> = scope.split([',', ' ']).filter_map(tag).collect();
        if let Some((by, end)) = tail.strip_prefix(" by {").and_then(|by| by.split_once('}')) {
            tags.extend(by.split(',').map(|tag| tag.trim().to_owned()));
            tail = end;
        }
        if let Some((aggregation, metric)) = name {
            found.push(Selected {
                // A monitor has the aggregation over time before it: `sum(last_5m):sum:…`.
                aggregation: aggregation.rsplit(':').next().unwrap_or_default().to_owned(),
                metric: metric.to_owned(),
                tags,
                is_count: tail.starts_with(".as_count()"),
            });
        }
        rest = tail;
    }
    found
}

/// The key of a tag in a scope; none for `*`, an operator or a variable of a dashboard, which has its own key.
fn tag(word: &str) -> Option<String> {
    let word = word.trim_start_matches(['!', '(']);
    let is_none =
        word.is_empty() || word == "*" || word.starts_with('$') || matches!(word, "AND" | "OR" | "NOT" | "IN");
    (!is_none).then(|| word.split(':').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_metrics_and_tags() {
        let found =
            selected("sum(last_5m):sum:k8s.job.failures{env:prod,!category:x,$ns} by {kube_job,cause}.as_count() > 0");
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].aggregation, &*found[0].metric), ("sum", "k8s.job.failures"));
        let tags: Vec<&str> = found[0].tags.iter().map(|tag| &**tag).collect();
        assert_eq!(tags, ["category", "cause", "env", "kube_job"]);
        assert!(found[0].is_count);
    }

    #[test]
    fn finds_every_metric_of_a_formula() {
        let found = selected("100 * sum:a.b{*}.as_count() / (default_zero(max:c{*} by {d}) + 1)");
        let metrics: Vec<&str> = found.iter().map(|selected| &*selected.metric).collect();
        assert_eq!(metrics, ["a.b", "c"]);
        assert_eq!((found[0].is_count, found[1].is_count), (true, false));
    }
}
