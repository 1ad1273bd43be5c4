//! Which parts of a running graph another graph keeps, and in which order the others end. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::reload::ReloadReport;
use crate::component::{Kind, Processor};
use crate::graph::{Graph, GraphPart, Recipe, Spec};

type Parts<'a> = BTreeMap<&'a str, &'a GraphPart>;

/// The parts of two graphs.
pub(super) struct Diff<'a> {
    old: Parts<'a>,
    new: Parts<'a>,
}

impl<'a> Diff<'a> {
    pub(super) fn new(old: impl IntoIterator<Item = &'a GraphPart>, new: &'a [GraphPart]) -> Self {
        let by_path = |part: &'a GraphPart| (&*part.path, part);
        Diff {
            old: old.into_iter().map(by_path).collect(),
            new: new.iter().map(by_path).collect(),
        }
    }

    /// True if the part runs on: it has the same settings, and the extensions that it uses run on.
    pub(super) fn is_unchanged(&self, path: &str) -> bool {
        let (Some(old), Some(new)) = (self.old.get(path), self.new.get(path)) else {
            return false;
        };
        let uses = new.recipe.uses();
        let mut uses = uses.into_iter().map(|id| Kind::Extension.path(id));
        old.recipe.is_same(&new.recipe) && uses.all(|path| self.is_unchanged(&path))
    }

    /// The parts that end, in groups: with the flow, extensions last.
    pub(super) fn ending(&self) -> Vec<Vec<Arc<str>>> {
        let depths = depths(&self.old);
        let mut groups: BTreeMap<usize, Vec<Arc<str>>> = BTreeMap::new();
        for (path, part) in &self.old {
            if !self.is_unchanged(path) {
                let depth = match part.recipe.is_extension() {
                    true => usize::MAX,
                    false => depths.get(path).copied().unwrap_or_default(),
                };
                groups.entry(depth).or_default().push(part.path.clone());
            }
        }
        groups.into_values().collect()
    }
}

/// The length of the longest way from a receiver to each part.
fn depths<'a>(parts: &Parts<'a>) -> BTreeMap<&'a str, usize> {
    let mut depths: BTreeMap<&str, usize> = parts.keys().map(|path| (*path, 0)).collect();
    // A graph has no cycles, so this ends after as many rounds as the longest way has steps.
    loop {
        let mut is_changed = false;
        for (path, part) in parts {
            let next = depths.get(path).copied().unwrap_or_default() + 1;
            for consumer in part.outputs.iter().flat_map(|(_, consumers)| consumers) {
                if let Some(depth) = depths.get_mut(&**consumer)
                    && *depth < next
                {
                    *depth = next;
                    is_changed = true;
                }
            }
        }
        if !is_changed {
            return depths;
        }
    }
}

/// The effect of a reload on every component and pipeline.
pub(super) fn report(old: &Graph, new: &Graph) -> ReloadReport {
    let diff = Diff::new(&old.parts, &new.parts);
    let (old_processors, new_processors) = (processors(old), processors(new));
    let is_same_processor = |path: &str| match (old_processors.get(path), new_processors.get(path)) {
        (Some(one), Some(other)) => {
            let mut uses = other.uses.iter().map(|id| Kind::Extension.path(id));
            one.is_same(other) && uses.all(|path| diff.is_unchanged(&path))
        }
        _ => false,
    };
    let is_same_pipeline = |path: &str| {
        let is_chain = diff.old.contains_key(path) || diff.new.contains_key(path);
        old.pipelines.get(path) == new.pipelines.get(path) && (!is_chain || diff.is_unchanged(path))
    };
    let mut report = ReloadReport::default();
    let (names, new_names) = (names(old), names(new));
    for path in names.union(&new_names) {
        let is_unchanged = || {
            let is_pipeline = old.pipelines.contains_key(&**path);
            match old_processors.contains_key(&**path) {
                true => is_same_processor(path),
                false if is_pipeline => is_same_pipeline(path),
                false => diff.is_unchanged(path),
            }
        };
        let list = match (names.contains(path), new_names.contains(path)) {
            (false, _) => &mut report.added,
            (_, false) => &mut report.removed,
            _ if is_unchanged() => &mut report.unchanged,
            _ => &mut report.changed,
        };
        list.push(path.to_string());
    }
    report
}

fn processors(graph: &Graph) -> BTreeMap<&str, &Spec<dyn Processor>> {
    let chains = graph.parts.iter().filter_map(|part| match &part.recipe {
        Recipe::Chain(specs) => Some(specs),
        _ => None,
    });
    chains.flatten().map(|spec| (&*spec.path, spec)).collect()
}

/// The paths of all components and pipelines.
pub(super) fn names(graph: &Graph) -> BTreeSet<Arc<str>> {
    let parts = graph.parts.iter().map(|part| part.path.clone());
    let pipelines = graph.pipelines.keys().cloned();
    let processors = processors(graph).into_keys().map(Arc::from);
    parts.chain(pipelines).chain(processors).collect()
}
