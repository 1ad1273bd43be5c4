//! The handle of a running simulator.

use crate::api::server::{Shared, serve};
use crate::api::{Token, Verb};
use crate::faults::{Answer, Cut, Faults, Isolation, Matching, WatchAction};
use crate::ids::Ids;
use crate::requests::{Request, Requests};
use crate::resource::Resource;
use crate::store::{Store, StoreOptions};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a simulator is made.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The bearer tokens that are known. Without any, everybody may do everything.
    pub tokens: Vec<Token>,
    /// The store a fresh simulator gets.
    pub store: StoreOptions,
    /// How often a watch that asked for bookmarks gets one; the real server sends one about every minute.
    pub bookmark_interval: Duration,
    /// Whether watches may ask for initial events (the WatchList feature gate).
    pub watch_list: bool,
    /// The seed of UIDs and generated names.
    pub seed: u64,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        SimulatorOptions {
            port: 0,
            tokens: Vec::new(),
            store: StoreOptions::default(),
            bookmark_interval: Duration::from_secs(60),
            watch_list: true,
            seed: 1,
        }
    }
}

/// A running Kubernetes API on loopback. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
}

impl Simulator {
    /// Starts serving an empty store.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub async fn start(options: SimulatorOptions) -> io::Result<Simulator> {
        let store = Store::new(options.store.clone());
        Simulator::start_with(options, store).await
    }

    /// Starts serving this store, which may be that of a simulator that was shut down.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub async fn start_with(options: SimulatorOptions, store: Store) -> io::Result<Simulator> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let shared = Arc::new(Shared {
            store,
            faults: Faults::new(),
            requests: Requests::default(),
            tokens: Mutex::new(options.tokens.clone()),
            // Not the sequence that a story with the same seed takes its UIDs from.
            ids: Mutex::new(Ids::new(!options.seed)),
            logs: Mutex::new(HashMap::new()),
            address: listener.local_addr()?,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            options,
        });
        shared.tasks.spawn(serve(shared.clone(), listener));
        Ok(Simulator { shared })
    }

    /// The listen address.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// A kubeconfig for `kubectl` and `kube`, with the first token if there is one.
    pub fn kubeconfig_yaml(&self) -> String {
        let tokens = Shared::locked(&self.shared.tokens);
        let user = tokens
            .first()
            .map_or("{}".to_owned(), |token| format!("{{token: \"{}\"}}", token.value));
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: simulator\n\
             clusters:\n- name: simulator\n  cluster: {{server: \"{}\"}}\n\
             users:\n- name: simulator\n  user: {user}\n\
             contexts:\n- name: simulator\n  context: {{cluster: simulator, user: simulator}}\n",
            self.url()
        )
    }

    /// Writes the kubeconfig to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.kubeconfig_yaml())
    }

    /// The objects it serves.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The requests so far, oldest first; of very many the most recent 10,000.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.all()
    }

    /// How many watches are open.
    pub fn open_watches(&self) -> usize {
        self.shared.faults.watches.borrow().open
    }

    /// How many watches have been opened since the start, those included that ended at once.
    pub fn opened_watches(&self) -> usize {
        self.shared.faults.watches.borrow().opened
    }

    /// Waits until that many watches have been opened since the start.
    pub async fn until_opened(&self, watches: usize) {
        // The sender lives as long as the simulator, so this ends only when it is so.
        let _ = self
            .shared
            .faults
            .watches
            .subscribe()
            .wait_for(|now| now.opened >= watches)
            .await;
    }

    /// Ends every open watch now, whatever it has not sent yet; returns how many were open.
    pub fn cut_watches(&self, cut: Cut) -> usize {
        self.shared.faults.command(None, WatchAction::Cut(cut))
    }

    /// Ends the open watches of one resource now.
    pub fn cut_watches_of(&self, resource: Resource, cut: Cut) {
        self.shared.faults.command(Some(resource), WatchAction::Cut(cut));
    }

    /// Ends every open watch with a 410 inside the stream; returns how many were open.
    pub fn expire_watches(&self) -> usize {
        self.shared.faults.command(None, WatchAction::Expire)
    }

    /// Sends a bookmark on every open watch that asked for bookmarks, without waiting for the interval.
    pub fn send_bookmarks(&self) -> usize {
        self.shared.faults.command(None, WatchAction::Bookmark)
    }

    /// Every open watch says once more what it said last.
    pub fn repeat_last(&self) -> usize {
        self.shared.faults.command(None, WatchAction::Repeat)
    }

    /// Watches stay open and say nothing: no changes, no bookmarks, no end. New ones, too.
    pub fn stall_watches(&self) {
        self.shared.faults.stall(&Resource::ALL);
    }

    /// The watches of one resource stay open and say nothing, so that what they have to say comes after what other
    /// watches say.
    pub fn stall_watches_of(&self, resource: Resource) {
        self.shared.faults.stall(&[resource]);
    }

    /// Stalled watches go on where they were.
    pub fn resume_watches(&self) {
        self.shared.faults.resume(&Resource::ALL);
    }

    /// Stalled watches of one resource go on where they were.
    pub fn resume_watches_of(&self, resource: Resource) {
        self.shared.faults.resume(&[resource]);
    }

    /// Lists that leave it open how new the answer is (`resourceVersion=0`) are answered from a cache that is this many
    /// writes behind, as a lagging API server answers them; 0 ends that.
    pub fn lag_behind(&self, writes: u64) {
        self.shared.faults.set_behind(writes);
    }

    /// Cuts a user off from the API: the user's watches are reset, and requests fail until
    /// [`rejoin`](Simulator::rejoin).
    pub fn isolate(&self, user: &str, how: Isolation) {
        self.shared.faults.isolate(user, how);
    }

    /// Lets an isolated user in again.
    pub fn rejoin(&self, user: &str) {
        self.shared.faults.rejoin(user);
    }

    /// The next `count` matching requests get this answer. Earlier plans come first.
    pub fn answer_next(&self, count: usize, matching: Matching, answer: Answer) {
        self.shared.faults.plan(count, matching, answer);
    }

    /// Takes back every [`answer_next`](Simulator::answer_next) that no request met yet, and resets the connections that
    /// got [`Answer::Silence`].
    pub fn forget_answers(&self) {
        self.shared.faults.forget_plans();
    }

    /// Refuses a verb on a resource to everybody, with a 403 in the real server's words.
    pub fn forbid(&self, verb: Verb, resource: Resource) {
        self.shared.faults.forbid(verb, resource);
    }

    /// Takes a [`forbid`](Simulator::forbid) back.
    pub fn permit(&self, verb: Verb, resource: Resource) {
        self.shared.faults.permit(verb, resource);
    }

    /// The old token is worth nothing from now on (401), the new one is worth what the old one was.
    /// Returns whether the old one was known.
    pub fn replace_token(&self, old: &str, new: &str) -> bool {
        let mut tokens = Shared::locked(&self.shared.tokens);
        let token = tokens.iter_mut().find(|token| token.value == old);
        token.map(|token| token.value = new.to_owned()).is_some()
    }

    /// What `pods/log` answers for a container.
    pub fn set_log(&self, namespace: &str, pod: &str, container: &str, text: &str) {
        Shared::locked(&self.shared.logs).insert(format!("{namespace}/{pod}/{container}"), text.to_owned());
    }

    /// Closes every connection and the port, and waits until that is done.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}
