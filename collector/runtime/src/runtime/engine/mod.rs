//! Makes the running parts those of a graph: on startup all of them, on a reload those that changed.
//!
//! `docs/reload.md` has the rules and the order of the steps.

mod ending;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::ending::{EndingPart, Estate};
use super::diff::{self, Diff};
use super::error::Failure;
use super::instance::Instance;
use super::tasks::{Member, Serial, Tasks};
use super::wiring::{Edges, Wiring};
use crate::component::{Kind, Running};
use crate::graph::{Graph, GraphPart, Recipe};
use crate::health::{Health, Reporter, Status};
use crate::outlet::Outputs;
use crate::storage::{Offer, Provided};
use crate::succession::Succession;

/// Why a graph was not applied.
pub(in crate::runtime) enum Interruption {
    /// A part was not created or did not start.
    NotStarted(Failure),
    /// A running part failed, so the process ends.
    Failed(Failure),
    /// Shutdown is signalled.
    Shutdown,
}

/// When a reload or a startup must stop waiting.
pub(in crate::runtime) struct Limits<'a> {
    pub(in crate::runtime) shutdown: &'a CancellationToken,
    /// How long parts may take to end.
    pub(in crate::runtime) grace: Duration,
    /// How long everything may take once shutdown is signalled.
    pub(in crate::runtime) after_shutdown: Duration,
}

/// A part that runs.
struct RunningPart {
    part: GraphPart,
    serial: Serial,
    stop: CancellationToken,
    succession: Succession,
    offer: Offer,
    task: AbortHandle,
}

/// A part that was made and does not run yet.
struct NewPart<'g> {
    part: &'g GraphPart,
    instance: Instance,
    offer: Offer,
    reporters: Vec<Reporter>,
}

/// The running parts.
pub(in crate::runtime) struct Engine {
    pub(in crate::runtime) extensions: Tasks,
    /// The tasks of pipelines.
    pub(in crate::runtime) flow: Tasks,
    running: BTreeMap<Arc<str>, RunningPart>,
    ending: HashMap<Serial, EndingPart>,
    wiring: Wiring,
    estates: HashMap<Arc<str>, Estate>,
    /// The parts that did not end in time, since the last call of [`take_aborted`](Self::take_aborted).
    aborted: BTreeSet<String>,
    last_serial: u64,
    /// When shutdown was first noticed.
    shutdown_at: Option<Instant>,
}

impl Engine {
    pub(in crate::runtime) fn new() -> Self {
        Engine {
            extensions: Tasks::default(),
            flow: Tasks::default(),
            running: BTreeMap::new(),
            ending: HashMap::new(),
            wiring: Wiring::default(),
            estates: HashMap::new(),
            aborted: BTreeSet::new(),
            last_serial: 0,
            shutdown_at: None,
        }
    }

    /// Makes the running parts those of the graph.
    ///
    /// # Errors
    /// If that did not succeed. After [`Interruption::NotStarted`] the parts that did not change still run, and the former
    /// graph may be applied.
    pub(in crate::runtime) async fn apply(&mut self, graph: &Graph, limits: &Limits<'_>) -> Result<(), Interruption> {
        let edges = Edges::of(&graph.parts);
        let diff = Diff::new(self.running.values().map(|running| &running.part), &graph.parts);
        let groups = diff.ending();
        let starting: Vec<&GraphPart> = graph
            .parts
            .iter()
            .filter(|part| !diff.is_unchanged(&part.path))
            .collect();
        let is_ending: HashSet<Arc<str>> = groups.iter().flatten().cloned().collect();
        let new = self.create(graph, &starting, &is_ending);
        let mut new = new.map_err(Interruption::NotStarted)?;

        let deadline = Instant::now() + limits.grace;
        for group in groups {
            let serials = group
                .iter()
                .filter_map(|path| self.stop(path, &starting, &is_ending, &edges))
                .collect();
            self.wait_for(serials, deadline, limits).await?;
        }
        let leftovers = self.claim_leftovers(&starting, &edges);
        self.wait_for(leftovers, deadline, limits).await?;

        for new in &mut new {
            new.reporters = reporters(&graph.health, new.part);
        }
        self.start(new, &graph.parts, &edges, limits).await?;
        for part in &graph.parts {
            if let Some(running) = self.running.get_mut(&part.path) {
                running.part = part.clone();
            }
        }
        self.forward_returned();
        // A part that still drained was claimed by a graph that did not start: it may come back later.
        self.estates.retain(|path, _| !self.running.contains_key(path));
        let names = diff::names(graph);
        graph.health.retain(|path| names.contains(path));
        Ok(())
    }

    /// Makes the parts, extensions first. They use the services of extensions that run on and of new ones.
    fn create<'g>(
        &self,
        graph: &Graph,
        starting: &[&'g GraphPart],
        is_ending: &HashSet<Arc<str>>,
    ) -> Result<Vec<NewPart<'g>>, Failure> {
        let mut provided = Provided::new();
        for running in self
            .running
            .values()
            .filter(|running| !is_ending.contains(&running.part.path))
        {
            if let Recipe::Extension(spec) = &running.part.recipe {
                provided.add(spec.id.clone(), running.offer.clone());
            }
        }
        let create = |part: &'g GraphPart, provided: &Provided| {
            let instance = Instance::create(part, &graph.meter, &graph.health, provided)?;
            let offer = instance.offer();
            Ok(NewPart {
                part,
                instance,
                offer,
                reporters: Vec::new(),
            })
        };
        // An extension may use one that is listed after it.
        let (mut left, others): (Vec<&GraphPart>, Vec<&GraphPart>) =
            starting.iter().partition(|part| part.recipe.is_extension());
        let mut extensions: BTreeMap<usize, NewPart<'g>> = BTreeMap::new();
        while !left.is_empty() {
            let is_missing = |id| left.iter().any(|part| *part.path == *Kind::Extension.path(id));
            // Extensions do not use each other in a cycle, so one of them is always next.
            let next = left
                .iter()
                .position(|part| !part.recipe.uses().into_iter().any(is_missing));
            let part = left.remove(next.unwrap_or_default());
            let new = create(part, &provided)?;
            if let Recipe::Extension(spec) = &part.recipe {
                provided.add(spec.id.clone(), new.offer.clone());
            }
            let position = starting.iter().position(|other| other.path == part.path);
            extensions.insert(position.unwrap_or_default(), new);
        }
        let mut new: Vec<_> = extensions.into_values().collect();
        for part in others {
            new.push(create(part, &provided)?);
        }
        Ok(new)
    }

    /// Starts the parts, and runs them once all have started. Extensions run as soon as they have started.
    async fn start(
        &mut self,
        new: Vec<NewPart<'_>>,
        parts: &[GraphPart],
        edges: &Edges,
        limits: &Limits<'_>,
    ) -> Result<(), Interruption> {
        let mut started = Vec::new();
        for mut new in new {
            let starting = new.instance.start(new.part);
            let is_started = tokio::select! {
                biased;
                is_started = starting => is_started,
                () = hurry(&mut self.shutdown_at, limits) => return Err(Interruption::Shutdown),
            };
            is_started.map_err(Interruption::NotStarted)?;
            match new.part.recipe.is_extension() {
                true => self.spawn(new, Outputs::default()),
                false => started.push(new),
            }
        }
        started.iter().for_each(|new| self.wiring.open(new.part, edges));
        let ready: Vec<_> = started
            .into_iter()
            .map(|new| (self.wiring.outputs(new.part), new))
            .collect();
        self.wiring.connect(parts);
        for (outputs, new) in ready {
            self.spawn(new, outputs);
        }
        Ok(())
    }

    fn spawn(&mut self, new: NewPart<'_>, outputs: Outputs) {
        let NewPart {
            part,
            instance,
            offer,
            reporters,
        } = new;
        let serial = self.next_serial();
        let inherited = self.estates.get_mut(&part.path).and_then(|estate| estate.state.take());
        let succession = Succession::after(inherited);
        let stop = CancellationToken::new();
        if !part.recipe.is_receiver() {
            reporters.iter().for_each(|reporter| reporter.report(Status::Ok));
        }
        let input = self.wiring.inbox(part);
        let tasks = match part.recipe.is_extension() {
            true => &mut self.extensions,
            false => &mut self.flow,
        };
        let member = Member {
            path: part.path.clone(),
            serial,
            reporters,
        };
        let Some(health) = member.reporters.first().cloned() else {
            return;
        };
        let running = Running {
            shutdown: stop.clone(),
            health,
            succession: succession.clone(),
        };
        let task = tasks.spawn(member, async { instance.run(input, outputs, running).await });
        let running = RunningPart {
            part: part.clone(),
            serial,
            stop,
            succession,
            offer,
            task,
        };
        self.running.insert(part.path.clone(), running);
    }

    /// Signals all parts of pipelines to end; inboxes close when their producers have ended.
    pub(in crate::runtime) fn stop_flow(&mut self) {
        self.wiring.release();
        self.stop_all(false);
    }

    /// Signals all extensions to end.
    pub(in crate::runtime) fn stop_extensions(&mut self) {
        self.stop_all(true);
    }

    fn stop_all(&self, extensions: bool) {
        for running in self.running.values() {
            if running.part.recipe.is_extension() == extensions {
                running.stop.cancel();
            }
        }
    }

    /// The paths of the parts that a reload aborted.
    pub(in crate::runtime) fn take_aborted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.aborted).into_iter().collect()
    }

    /// When shutdown was noticed.
    pub(in crate::runtime) fn shutdown_at(&self) -> Instant {
        self.shutdown_at.unwrap_or_else(Instant::now)
    }

    fn next_serial(&mut self) -> Serial {
        self.last_serial += 1;
        Serial(self.last_serial)
    }
}

/// Resolves some time after shutdown is signalled.
async fn hurry(shutdown_at: &mut Option<Instant>, limits: &Limits<'_>) {
    limits.shutdown.cancelled().await;
    let at = *shutdown_at.get_or_insert_with(Instant::now);
    tokio::time::sleep_until(at + limits.after_shutdown).await;
}

/// The handles through which a part reports its health, from now on.
fn reporters(health: &Health, part: &GraphPart) -> Vec<Reporter> {
    match &part.recipe {
        // Several pipelines may name a processor, which has one status.
        Recipe::Chain(specs) => specs.iter().map(|spec| health.reporter(&spec.path)).collect(),
        _ => vec![health.successor(&part.path)],
    }
}
