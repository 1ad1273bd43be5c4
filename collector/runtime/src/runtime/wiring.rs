//! The channels between running parts, and how a reload replaces them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

use crate::graph::GraphPart;
use crate::outlet::{INBOX_CAPACITY, Inbox, Outlet, Outputs};
use crate::route::{Consumer, Route};
use collector_data::{Batch, Signal};

/// A path and a signal.
type End = (Arc<str>, Signal);

/// The consumers of each producer in a graph, by paths.
pub(super) struct Edges(BTreeMap<End, BTreeSet<Arc<str>>>);

impl Edges {
    pub(super) fn of(parts: &[GraphPart]) -> Self {
        let outputs = parts.iter().flat_map(|part| {
            let outputs = part.outputs.iter();
            outputs.map(|(signal, paths)| ((part.path.clone(), *signal), paths.iter().cloned().collect()))
        });
        Edges(outputs.collect())
    }
}

/// The channels of all parts.
#[derive(Default)]
pub(super) struct Wiring {
    /// The sending ends, which keep channels open that no producer uses at the moment.
    inlets: BTreeMap<End, mpsc::Sender<Batch>>,
    /// The inboxes of parts that do not run yet.
    waiting: HashMap<Arc<str>, Vec<mpsc::Receiver<Batch>>>,
    /// By producer. A producer owns its routes: they close when it ends.
    routes: BTreeMap<End, Weak<Route>>,
}

impl Wiring {
    /// Opens the inbox of a part that will run, unless it is open. Producers of a part with the same path send to it from
    /// now on, those whose consumers change once they are [connected](Self::connect).
    pub(super) fn open(&mut self, part: &GraphPart, edges: &Edges) {
        if self.waiting.contains_key(&part.path) {
            return;
        }
        let mut inbox = Vec::new();
        for signal in &part.inputs {
            let (sender, receiver) = mpsc::channel(INBOX_CAPACITY);
            inbox.push(receiver);
            self.inlets.insert((part.path.clone(), *signal), sender);
        }
        self.waiting.insert(part.path.clone(), inbox);
        for (producer, route) in self.routes_to(&part.path) {
            let consumers = route
                .consumers()
                .iter()
                .map(|consumer| self.current(consumer))
                .collect();
            route.connect(consumers);
            self.pause_if_changed(&producer, &route, edges);
        }
    }

    /// Closes the inbox of a part that ends without a successor, once the last producer ends that the next graph does not
    /// have. The others wait for their next consumers.
    pub(super) fn close(&mut self, part: &GraphPart, edges: &Edges) {
        for (producer, route) in self.routes_to(&part.path) {
            if edges.0.contains_key(&producer) {
                route.pause_without(&part.path);
            }
        }
        self.inlets.retain(|(path, _), _| *path != part.path);
    }

    /// The inbox of a part that begins to run.
    pub(super) fn inbox(&mut self, part: &GraphPart) -> Inbox {
        let mut inbox = Inbox::empty();
        for channel in self.waiting.remove(&part.path).unwrap_or_default() {
            inbox.add(channel);
        }
        inbox
    }

    /// The outlets of a part that begins to run: those of its predecessor if they are in use, else paused.
    pub(super) fn outputs(&mut self, part: &GraphPart) -> Outputs {
        let mut outputs = Outputs::default();
        for (signal, _) in &part.outputs {
            let end = (part.path.clone(), *signal);
            let route = self.routes.get(&end).and_then(Weak::upgrade).unwrap_or_else(|| {
                let route = Route::new(Vec::new());
                route.pause();
                Arc::new(route)
            });
            self.routes.insert(end, Arc::downgrade(&route));
            *outputs.of(*signal) = route.into();
        }
        outputs
    }

    /// An outlet to one part, which follows its successors.
    pub(super) fn outlet_to(&mut self, path: &Arc<str>, signal: Signal, name: &str) -> Outlet {
        let consumer = self.consumer(path, signal);
        let outlet = Outlet::from(Route::new(consumer.into_iter().collect()));
        self.routes
            .insert((name.into(), signal), Arc::downgrade(outlet.route()));
        outlet
    }

    /// Gives every producer its consumers.
    pub(super) fn connect(&mut self, parts: &[GraphPart]) {
        self.routes.retain(|_, route| route.strong_count() > 0);
        for part in parts {
            for (signal, paths) in &part.outputs {
                let route = self.routes.get(&(part.path.clone(), *signal));
                let Some(route) = route.and_then(Weak::upgrade) else {
                    continue;
                };
                let consumers = paths.iter().filter_map(|path| self.consumer(path, *signal));
                route.connect(consumers.collect());
            }
        }
    }

    /// From now on an inbox closes when its producers end. Nothing is paused any more.
    pub(super) fn release(&mut self) {
        self.inlets.clear();
        self.waiting.clear();
        for route in self.routes.values().filter_map(Weak::upgrade) {
            route.connect(route.consumers().to_vec());
        }
    }

    fn routes_to(&self, path: &Arc<str>) -> Vec<(End, Arc<Route>)> {
        let routes = self.routes.iter();
        let routes = routes.filter_map(|(producer, route)| Some((producer.clone(), route.upgrade()?)));
        routes
            .filter(|(_, route)| route.consumers().iter().any(|consumer| consumer.path == *path))
            .collect()
    }

    /// A producer that the next graph does not have drains to the consumers that it has.
    fn pause_if_changed(&self, producer: &End, route: &Route, edges: &Edges) {
        let Some(next) = edges.0.get(producer) else { return };
        let consumers = route.consumers();
        let now: BTreeSet<&Arc<str>> = consumers.iter().map(|consumer| &consumer.path).collect();
        if now != next.iter().collect() {
            route.pause();
        }
    }

    fn current(&self, consumer: &Consumer) -> Consumer {
        let current = self.consumer(&consumer.path, consumer.signal);
        current.unwrap_or_else(|| consumer.clone())
    }

    fn consumer(&self, path: &Arc<str>, signal: Signal) -> Option<Consumer> {
        let sender = self.inlets.get(&(path.clone(), signal))?.clone();
        let path = path.clone();
        Some(Consumer { path, signal, sender })
    }
}
