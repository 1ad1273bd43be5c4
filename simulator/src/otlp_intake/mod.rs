//! An OTLP intake on loopback that keeps Datadog's rules, for the demo and for tests over real sockets.
//!
//! It has a port for HTTP, where it takes protobuf and JSON (gzip, zstd or not compressed) at `/v1/logs`, `/v1/metrics` and
//! `/v1/traces`, and one for gRPC, as a collector. It remembers what it accepted in the order of arrival, tells subscribers at once, and notices points that would overwrite each other in
//! Datadog. Failures can be scripted: one by one with [`OtlpIntake::fail_next`], lasting with [`OtlpIntake::answer_all`]
//! and [`OtlpIntake::refuse_connections`].

mod answer;
mod grpc;
mod http;
mod judge;
mod overwrites;
mod port;
pub mod profile;
mod received;
mod response;
mod rules;
mod server;
pub mod tags;
mod taking;
mod views;

#[cfg(test)]
mod grpc_tests;
#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpSocket;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use answer::Answer;
pub use judge::Lost;
pub use overwrites::Overwrite;
pub use profile::{DATADOG, Profile};
pub use received::{Attempt, Payload, Received, Signal};
pub use rules::{CUMULATIVE_REFUSED, Limits};
pub use views::{Point, PointValue, Record, Temporality, any_value_to_json};

use overwrites::Overwrites;
use server::Transport;

/// How many arrivals a subscriber may lag behind before it misses some.
const SUBSCRIBER_LAG: usize = 4096;

/// How the intake behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; must be loopback. The default lets the system choose a port.
    pub address: SocketAddr,
    /// The same for gRPC.
    pub grpc_address: SocketAddr,
    /// The key that must come in the profile's header; `None` takes every request.
    pub api_key: Option<String>,
    /// The largest requests taken.
    pub limits: Limits,
    /// The rules of the backend it stands for.
    pub profile: Profile,
}

impl Options {
    /// An intake that keeps all rules of a backend, and asks for this key.
    pub fn of(profile: Profile, key: &str) -> Options {
        Options {
            api_key: Some(key.into()),
            limits: profile.limits,
            profile,
            ..Options::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            grpc_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: None,
            limits: Limits::default(),
            // Tests may send points of any time, and over gRPC, unless they ask for these rules, too.
            profile: Profile {
                ages: None,
                grpc: true,
                ..DATADOG
            },
        }
    }
}

/// A running intake. Dropping it stops it.
#[derive(Debug)]
pub struct OtlpIntake {
    address: SocketAddr,
    grpc_address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    /// Whether the ports are to be closed, and whether each is open.
    closed: watch::Sender<bool>,
    listening: [watch::Receiver<bool>; 2],
    servers: Vec<JoinHandle<()>>,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    options: Options,
    state: Mutex<State>,
    arrivals: broadcast::Sender<Arc<Received>>,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Arc<Received>>,
    refused: Vec<Arc<Received>>,
    attempts: Vec<Attempt>,
    script: HashMap<Signal, VecDeque<Answer>>,
    standing: HashMap<Signal, Answer>,
    overwrites: Overwrites,
    rejected: usize,
    lost: Vec<Lost>,
}

impl State {
    /// What is to become of the next request of a signal: what was scripted, else the standing answer, if any.
    fn scripted(&mut self, signal: Signal) -> Option<Answer> {
        let next = self.script.get_mut(&signal).and_then(VecDeque::pop_front);
        next.or_else(|| self.standing.get(&signal).cloned())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OtlpIntake {
    /// Starts an intake on a free port of 127.0.0.1 that asks for the given `dd-api-key`, if any.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(api_key: Option<String>) -> io::Result<OtlpIntake> {
        OtlpIntake::start_with(Options {
            api_key,
            ..Options::default()
        })
        .await
    }

    /// Starts an intake.
    ///
    /// # Errors
    /// If the address is not loopback, or it cannot listen there.
    pub async fn start_with(options: Options) -> io::Result<OtlpIntake> {
        for found in [options.address, options.grpc_address] {
            if !found.ip().is_loopback() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("the intake listens on loopback only, not on {found}"),
                ));
            }
        }
        let (http, address) = port::reserve(options.address)?;
        let (grpc, grpc_address) = port::reserve(options.grpc_address)?;
        let shared = Arc::new(Shared {
            options,
            state: Mutex::default(),
            arrivals: broadcast::Sender::new(SUBSCRIBER_LAG),
        });
        let stop = CancellationToken::new();
        let (closed, close) = watch::channel(false);
        let mut servers = Vec::new();
        let mut open = |socket: TcpSocket, address, transport| -> io::Result<watch::Receiver<bool>> {
            let listener = socket.listen(port::BACKLOG)?;
            let (opened, listening) = watch::channel(true);
            let close = close.clone();
            let door = port::Door { address, close, opened };
            let server = server::serve(listener, door, transport, Arc::clone(&shared), stop.clone());
            servers.push(tokio::spawn(server));
            Ok(listening)
        };
        let listening = [
            open(http, address, Transport::Http)?,
            open(grpc, grpc_address, Transport::Grpc)?,
        ];
        Ok(OtlpIntake {
            address,
            grpc_address,
            shared,
            stop,
            closed,
            listening,
            servers,
        })
    }

    /// Its base URL: `http://127.0.0.1:PORT`, and what the backend has before `/v1/logs`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.options.profile.path)
    }

    /// Where it takes gRPC, without TLS: `127.0.0.1:PORT`.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc_address
    }

    /// Where it listens for HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything accepted so far, in the order of arrival.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.state().received.clone()
    }

    /// What was accepted after the first `known` requests, in the order of arrival.
    pub fn received_after(&self, known: usize) -> Vec<Arc<Received>> {
        self.shared.state().received.get(known..).unwrap_or_default().to_vec()
    }

    /// What was refused for good so far, in the order of arrival: by [`Answer::Refuse`] and [`Answer::Reject`].
    pub fn refused(&self) -> Vec<Arc<Received>> {
        self.refused_after(0)
    }

    /// What was refused for good after the first `known` requests of which something was, in the order of arrival.
    pub fn refused_after(&self, known: usize) -> Vec<Arc<Received>> {
        self.shared.state().refused.get(known..).unwrap_or_default().to_vec()
    }

    /// Every request so far with the answer it got, refused ones included.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.state().attempts.clone()
    }

    /// What is accepted from now on, as it arrives.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Received>> {
        self.shared.arrivals.subscribe()
    }

    /// The metric points accepted so far, one by one.
    pub fn points(&self) -> Vec<Point> {
        self.received()
            .iter()
            .flat_map(|received| received.payload.points())
            .collect()
    }

    /// The log records accepted so far, one by one.
    pub fn records(&self) -> Vec<Record> {
        self.received()
            .iter()
            .flat_map(|received| received.payload.records())
            .collect()
    }

    /// Points that took the place of another one with a different value: same metric, same tags, same second.
    /// Datadog keeps only the last of them.
    pub fn violations(&self) -> Vec<Overwrite> {
        self.shared.state().overwrites.found().to_vec()
    }

    /// How many items its rules refused in partial successes, besides what was scripted.
    pub fn rejected(&self) -> usize {
        self.shared.state().rejected
    }

    /// What it accepted, and threw away or cut without a word.
    pub fn lost(&self) -> Vec<Lost> {
        self.shared.state().lost.clone()
    }

    /// Answers the next request of a signal as told, once; several calls queue up.
    pub fn fail_next(&self, signal: Signal, answer: Answer) {
        self.shared.state().script.entry(signal).or_default().push_back(answer);
    }

    /// Answers every request of a signal as told, until told otherwise; `None` goes back to normal. What
    /// [`fail_next`](OtlpIntake::fail_next) has scripted comes first.
    pub fn answer_all(&self, signal: Signal, answer: Option<Answer>) {
        let mut state = self.shared.state();
        match answer {
            Some(answer) => state.standing.insert(signal, answer),
            None => state.standing.remove(&signal),
        };
    }

    /// Forgets the answers that were scripted with [`fail_next`](OtlpIntake::fail_next) and did not happen yet.
    pub fn forget_script(&self) {
        self.shared.state().script.clear();
    }

    /// While told so, both ports are closed: connections are refused, and those that are open are reset. Returns when it
    /// is so.
    pub async fn refuse_connections(&self, refuse: bool) {
        self.closed.send_replace(refuse);
        for mut listening in self.listening.clone() {
            // An error says that the server has stopped, and then there is nothing to wait for.
            let _ = listening.wait_for(|now| *now != refuse).await;
        }
    }

    /// Stops listening, ends all connections and waits for that.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for server in self.servers.drain(..) {
            // A panic of the server has been printed by the runtime already.
            let _ = server.await;
        }
    }
}

impl Drop for OtlpIntake {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
