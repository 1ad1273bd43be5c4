//! Events about nodes: stored for a while, because any Job with a Pod on that node may need one of them.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Evidence, Pod, is_oom_kill};

use super::event::EventRecord;
use super::pool::Pools;
use job_watch::model;

/// How many are kept, of all nodes together.
const KEPT: usize = 256;
/// How many a Job gets, the latest ones.
const PER_JOB: usize = 16;
/// How far an Event about a node may lie outside of a Pod's life: clocks differ, and Events are late.
const APART: SignedDuration = SignedDuration::from_secs(60);

/// Events about nodes, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct NodeEvents {
    /// Each with the node's name.
    events: VecDeque<(Arc<str>, EventRecord)>,
}

impl NodeEvents {
    /// An Event about a node was seen.
    pub(crate) fn seen(&mut self, event: &model::Event, pools: &mut Pools) {
        if !is_oom_kill(&event.reason) {
            return;
        }
        let node = &event.involved_object.name;
        let new = EventRecord::new(event, pools);
        let same = |(of, known): &&mut (Arc<str>, EventRecord)| {
            **of == **node && known.reason == new.reason && known.message == new.message
        };
        if let Some((_, known)) = self.events.iter_mut().find(same) {
            if new.last >= known.last {
                *known = new;
            }
            return;
        }
        if self.events.len() >= KEPT {
            self.events.pop_front();
        }
        self.events.push_back((pools.texts.get(&**node), new));
    }

    /// Adds to a Job's evidence the Events about the nodes of its Pods while they lived.
    pub(crate) fn add_to(&self, evidence: &mut Evidence) {
        let decided = evidence.job.decided_at();
        let concerns = |node: &str, event: &EventRecord| {
            let (first, last) = (event.first.get(), event.last.get());
            let is_later = |time: Option<Timestamp>, than: Option<Timestamp>| {
                time.zip(than)
                    .is_some_and(|(time, than)| time.duration_since(than) > APART)
            };
            let on_it = |pod: &&Pod| pod.node.as_deref() == Some(node);
            let alive = |pod: &Pod| !is_later(pod.created, last) && !is_later(first, decided);
            evidence.pods.iter().filter(on_it).any(alive)
        };
        let latest = self.events.iter().rev().filter(|(node, event)| concerns(node, event));
        let found: Vec<_> = latest
            .take(PER_JOB)
            .map(|(node, event)| event.clone().into_evidence("Node", node, ""))
            .collect();
        if !found.is_empty() {
            evidence.events.extend(found);
            evidence.events.sort_by_key(|event| event.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use job_event::evidence::Condition;

    use super::*;
    use job_watch::model::Involved;

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn event(node: &str, reason: &str, message: &str, second: i64) -> model::Event {
        model::Event {
            involved_object: Involved {
                kind: "Node".into(),
                name: node.into(),
                uid: node.into(),
                ..Default::default()
            },
            reason: reason.into(),
            message: message.into(),
            last_timestamp: at(second),
            first_timestamp: at(second),
            ..Default::default()
        }
    }

    fn messages(events: &NodeEvents, node: &str, created: i64, decided: i64) -> Vec<String> {
        let mut evidence = Evidence {
            job: Default::default(),
            pods: vec![Pod {
                node: Some(node.into()),
                created: at(created),
                ..Default::default()
            }],
            events: Vec::new(),
            gaps: Vec::new(),
        };
        evidence.job.status.conditions.push(Condition {
            kind: "Failed".into(),
            is_true: true,
            since: at(decided),
            ..Default::default()
        });
        events.add_to(&mut evidence);
        let events = evidence.events.iter();
        events
            .map(|event| {
                assert_eq!((&*event.kind, &*event.name), ("Node", node));
                event.message.to_string()
            })
            .collect()
    }

    #[test]
    fn a_job_gets_the_node_events_of_the_life_of_its_pods() {
        let mut events = NodeEvents::default();
        let mut pools = Pools::default();
        for (node, reason, message, second) in [
            ("a", "SystemOOM", "long before", 800),
            ("b", "SystemOOM", "elsewhere", 1005),
            ("a", "SystemOOM", "during", 1010),
            ("a", "SystemOOM", "at the start", 1000),
            ("a", "NodeHasSufficientMemory", "useless", 1005),
            ("a", "SystemOOM", "long after", 1200),
            (
                "a",
                "OOMKilling",
                "Memory cgroup out of memory: Killed process 7 (java)",
                1011,
            ),
            ("a", "OOMKilling", "Out of memory: Killed process 8 (java)", 1012),
        ] {
            events.seen(&event(node, reason, message, second), &mut pools);
        }
        assert_eq!(
            messages(&events, "a", 1000, 1020),
            [
                "at the start",
                "during",
                "Memory cgroup out of memory: Killed process 7 (java)",
                "Out of memory: Killed process 8 (java)",
            ]
        );
        assert_eq!(messages(&events, "b", 1000, 1020), ["elsewhere"]);
        assert!(messages(&events, "c", 1000, 1020).is_empty());
    }

    #[test]
    fn merges_repetitions_and_is_bounded() {
        let mut events = NodeEvents::default();
        let mut pools = Pools::default();
        for second in 1000..1010 {
            events.seen(&event("a", "SystemOOM", "same", second), &mut pools);
        }
        assert_eq!(messages(&events, "a", 1000, 1020), ["same"]);
        for number in 0..2000 {
            events.seen(&event("a", "SystemOOM", &format!("pid: {number}"), 1000), &mut pools);
        }
        assert_eq!(events.events.len(), KEPT);
        assert_eq!(messages(&events, "a", 1000, 1020).len(), PER_JOB);
        assert!(messages(&events, "a", 1000, 1020).contains(&"pid: 1999".to_owned()));
    }
}
