//! Which pipeline feeds which through connectors.

use std::collections::BTreeMap;

use collector_config::ComponentId;
use collector_config::{Config, Diagnostic, Diagnostics, Located, Pipeline, PipelineId};

/// The pipelines against the flow: each comes after all pipelines it feeds.
///
/// Reports every cycle: data would circulate forever, and the pipelines could never be drained.
pub(super) fn against_the_flow<'a>(config: &'a Config, problems: &mut Diagnostics) -> Vec<&'a PipelineId> {
    let mut walk = Walk {
        config,
        states: BTreeMap::new(),
        way: Vec::new(),
        order: Vec::new(),
        problems,
    };
    for (id, pipeline) in &config.service.pipelines {
        walk.visit(id, pipeline);
    }
    walk.order
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    /// On the path of the search.
    Entered,
    /// Everything it feeds is known.
    Left,
}

struct Walk<'a, 'p> {
    config: &'a Config,
    states: BTreeMap<&'a PipelineId, Visit>,
    /// From the pipeline where the search began to the current one, each with the connector to the next one.
    way: Vec<(&'a PipelineId, &'a Located<ComponentId>)>,
    order: Vec<&'a PipelineId>,
    problems: &'p mut Diagnostics,
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, id: &'a PipelineId, pipeline: &'a Pipeline) {
        if self.states.contains_key(id) {
            return;
        }
        self.states.insert(id, Visit::Entered);
        for connector in &pipeline.exporters {
            if !self.config.connectors.contains_key(&connector.value) {
                continue;
            }
            self.way.push((id, connector));
            for (next_id, next) in &self.config.service.pipelines {
                if !next.receivers.iter().any(|named| named.value == connector.value) {
                    continue;
                }
                if self.states.get(next_id) == Some(&Visit::Entered) {
                    self.report(next_id, connector);
                }
                self.visit(next_id, next);
            }
            self.way.pop();
        }
        self.states.insert(id, Visit::Left);
        self.order.push(id);
    }

    fn report(&mut self, back_at: &PipelineId, connector: &Located<ComponentId>) {
        let mut text = String::new();
        for (pipeline, connector) in self.way.iter().skip_while(|(pipeline, _)| *pipeline != back_at) {
            text.push_str(&format!("{pipeline} -> {} -> ", connector.value));
        }
        text.push_str(&back_at.to_string());
        self.problems.push(Diagnostic {
            position: Some(connector.position.clone()),
            path: "service::pipelines".into(),
            message: format!("data would go round in a cycle: {text}"),
            help: Some("remove one of these connectors from the exporters of its pipeline".into()),
        });
    }
}
