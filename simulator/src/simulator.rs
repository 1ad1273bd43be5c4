//! The handle of a running simulator.

use crate::api::server::{ServerState, serve};
use crate::api::service_proxy::Services;
use crate::api::{ApiToken, Verb};
use crate::faults::{Cut, Fault, Faults, Isolation, Matching, WatchAction};
use crate::ids::Ids;
use crate::locked;
use crate::requests::{ApiRequest, RequestLog};
use crate::resource::Resource;
use crate::store::{ObjectStore, StoreOptions};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The options of a simulator.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// The port on 127.0.0.1; 0 chooses a free one.
    pub port: u16,
    /// The known bearer tokens. Without any, everybody may do everything.
    pub tokens: Vec<ApiToken>,
    /// The options of the store that [`Simulator::start`] creates.
    pub store: StoreOptions,
    /// The interval of bookmarks, for watches that ask for them; a real server sends one about every minute.
    pub bookmark_interval: Duration,
    /// The seed of UIDs.
    pub seed: u64,
    /// The `gitVersion` of `/version`. Streaming lists exist as in this version; nothing else depends on it.
    pub version: String,
    /// How requests for protobuf are answered.
    pub protobuf: ProtobufSupport,
    /// Lists and watches respect `shardSelector`: the feature gate ShardedListAndWatch (alpha since 1.36, off by default).
    pub shard_selector: bool,
}

/// How requests for protobuf are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtobufSupport {
    /// Lists and watches of Jobs, CronJobs, Pods, Events and Namespaces in protobuf, as a real server does.
    #[default]
    Served,
    /// In JSON, if that is accepted as well.
    Missing,
    /// With 406, as a proxy that knows only JSON.
    Refused,
    /// In protobuf, damaged by a proxy that takes it for text.
    Mangled,
    /// In protobuf, with only watches damaged.
    MangledWatches,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        SimulatorOptions {
            port: 0,
            tokens: Vec::new(),
            store: StoreOptions::default(),
            bookmark_interval: Duration::from_secs(60),
            seed: 1,
            version: "v1.36.2".into(),
            protobuf: ProtobufSupport::Served,
            shard_selector: false,
        }
    }
}

/// A running Kubernetes API on loopback. Clones are handles of one simulator.
#[derive(Clone, Debug)]
pub struct Simulator {
    state: Arc<ServerState>,
}

impl Simulator {
    /// Starts serving an empty store.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub async fn start(options: SimulatorOptions) -> io::Result<Simulator> {
        let store = ObjectStore::new(options.store.clone());
        Simulator::start_with(options, store).await
    }

    /// Starts serving this store, for example that of a simulator that was shut down.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub async fn start_with(options: SimulatorOptions, store: ObjectStore) -> io::Result<Simulator> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let state = Arc::new(ServerState {
            store,
            faults: Faults::default(),
            requests: RequestLog::default(),
            tokens: Mutex::new(options.tokens.clone()),
            // Not the sequence from which a timeline with the same seed takes its UIDs.
            ids: Mutex::new(Ids::new(!options.seed)),
            services: Services::default(),
            logs: Mutex::new(HashMap::new()),
            address: listener.local_addr()?,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            options,
        });
        state.tasks.spawn(serve(state.clone(), listener));
        Ok(Simulator { state })
    }

    /// The listen address.
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    /// The base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.state.address)
    }

    /// Writes a kubeconfig for `kubectl` and `kube`, with the first token, if any.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        let tokens = locked(&self.state.tokens);
        let user = tokens
            .first()
            .map_or("{}".to_owned(), |token| format!("{{token: \"{}\"}}", token.value));
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: simulator\n\
             clusters:\n- name: simulator\n  cluster: {{server: \"{}\"}}\n\
             users:\n- name: simulator\n  user: {user}\n\
             contexts:\n- name: simulator\n  context: {{cluster: simulator, user: simulator}}\n",
            self.url()
        );
        std::fs::write(path, kubeconfig)
    }

    /// The objects it serves.
    pub fn store(&self) -> &ObjectStore {
        &self.state.store
    }

    /// The most recent 10,000 requests, oldest first.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.state.requests.all()
    }

    /// The number of open watches.
    pub fn open_watches(&self) -> usize {
        self.state.faults.watches.borrow().open
    }

    /// The number of watches opened since the start, including those that ended at once.
    pub fn opened_watches(&self) -> usize {
        self.state.faults.watches.borrow().opened
    }

    /// Waits until this many watches have been opened since the start.
    pub async fn until_opened(&self, watches: usize) {
        // The sender lives as long as the simulator, so this cannot fail.
        let _ = self
            .state
            .faults
            .watches
            .subscribe()
            .wait_for(|now| now.opened >= watches)
            .await;
    }

    /// Ends every open watch now, whatever it has not sent yet; returns the number of watches.
    pub fn cut_watches(&self, cut: Cut) -> usize {
        self.state.faults.command(None, WatchAction::Cut(cut))
    }

    /// Ends the open watches of one resource now.
    pub fn cut_watches_of(&self, resource: Resource, cut: Cut) {
        self.state.faults.command(Some(resource), WatchAction::Cut(cut));
    }

    /// Ends every open watch with a 410 inside the stream; returns the number of watches.
    pub fn expire_watches(&self) -> usize {
        self.state.faults.command(None, WatchAction::Expire)
    }

    /// Repeats the last lines of every open watch.
    pub fn repeat_last(&self) -> usize {
        self.state.faults.command(None, WatchAction::Repeat)
    }

    /// Stalls all watches, including new ones: they stay open and send nothing: no changes, no bookmarks, no end.
    pub fn stall_watches(&self) {
        self.state.faults.stall(&Resource::ALL);
    }

    /// Stalls the watches of one resource, so that their events arrive after those of other watches.
    pub fn stall_watches_of(&self, resource: Resource) {
        self.state.faults.stall(&[resource]);
    }

    /// Resumes stalled watches from their last event.
    pub fn resume_watches(&self) {
        self.state.faults.resume(&Resource::ALL);
    }

    /// Resumes the stalled watches of one resource from their last event.
    pub fn resume_watches_of(&self, resource: Resource) {
        self.state.faults.resume(&[resource]);
    }

    /// Answers lists with `resourceVersion=0`, which may be old, from a cache that is this many writes behind, as a lagging
    /// API server does; 0 ends that.
    pub fn lag_behind(&self, writes: u64) {
        self.state.faults.set_behind(writes);
    }

    /// Cuts a user off from the API: the user's watches are reset, and requests fail until
    /// [`rejoin`](Simulator::rejoin).
    pub fn isolate(&self, user: &str, how: Isolation) {
        self.state.faults.isolate(user, how);
    }

    /// Admits an isolated user again.
    pub fn rejoin(&self, user: &str) {
        self.state.faults.rejoin(user);
    }

    /// This fault applies to the next `count` matching requests. Earlier plans come first.
    pub fn answer_next(&self, count: usize, matching: Matching, fault: Fault) {
        self.state.faults.plan(count, matching, fault);
    }

    /// Drops every pending [`answer_next`](Simulator::answer_next), and resets the connections that met
    /// [`Fault::Silence`].
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Refuses a verb on a resource to everybody, with the 403 of a real server.
    pub fn forbid(&self, verb: Verb, resource: Resource) {
        self.state.faults.forbid(verb, resource);
    }

    /// Reverts [`forbid`](Simulator::forbid).
    pub fn permit(&self, verb: Verb, resource: Resource) {
        self.state.faults.permit(verb, resource);
    }

    /// Replaces a token: the old one is refused (401) from now on. Returns false if the old one is unknown.
    pub fn replace_token(&self, old: &str, new: &str) -> bool {
        let mut tokens = locked(&self.state.tokens);
        let token = tokens.iter_mut().find(|token| token.value == old);
        token.map(|token| token.value = new.to_owned()).is_some()
    }

    /// Sets the answer of `pods/log` for a container.
    pub fn set_log(&self, namespace: &str, pod: &str, container: &str, text: &str) {
        locked(&self.state.logs).insert(format!("{namespace}/{pod}/{container}"), text.to_owned());
    }

    /// Adds a port of a Service, or changes it: the proxy of Services forwards requests for it to `endpoint`, an address on
    /// loopback. Without an endpoint they get a 503.
    pub fn set_service(&self, namespace: &str, name: &str, port: &str, endpoint: Option<SocketAddr>) {
        self.state.services.set(namespace, name, port, endpoint);
    }

    /// Forbids or permits `services/proxy` to everybody, with the 403 of a real server.
    pub fn forbid_service_proxy(&self, forbidden: bool) {
        self.state.services.forbid(forbidden);
    }

    /// Closes the port and every connection, and waits until that is done.
    pub async fn shutdown(&self) {
        self.state.stop.cancel();
        self.state.tasks.close();
        self.state.tasks.wait().await;
    }
}
