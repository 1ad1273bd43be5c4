//! Stories: Jobs that no recording of a cluster contains, in the form of one. The objects, reasons and messages are those of
//! Kubernetes, containerd and CRI-O; the course of events is invented. Each story states its verdict.

mod admission;
mod autoscalers;
mod controller;
mod deadlines;
mod deletions;
mod disruptions;
mod evictions;
mod exits;
mod expected;
mod images;
pub(crate) mod kubelet;
mod lost_nodes;
mod others;
mod pending;
mod policies;
mod registries;
mod rejections;
mod restarts;
mod schedulers;
mod side_deadlines;
mod side_failures;
mod sidecars;
mod stages;
pub(crate) mod stalls;
mod starts;
pub(crate) mod story;
mod windows;

pub(crate) use story::Story;

/// Every story.
pub(crate) fn all() -> Vec<Story> {
    [
        admission::stories,
        autoscalers::stories,
        deadlines::stories,
        deletions::stories,
        disruptions::stories,
        evictions::stories,
        exits::stories,
        images::stories,
        lost_nodes::stories,
        others::stories,
        pending::stories,
        policies::stories,
        registries::stories,
        rejections::stories,
        restarts::stories,
        schedulers::stories,
        side_deadlines::stories,
        side_failures::stories,
        sidecars::stories,
        starts::stories,
        windows::stories,
        stages::stories,
    ]
    .iter()
    .flat_map(|stories| stories())
    .collect()
}

/// The story of that name.
pub(crate) fn named(name: &str) -> Story {
    let found = all().into_iter().find(|story| story.name == name);
    found.unwrap_or_else(|| panic!("no story is named {name}"))
}
