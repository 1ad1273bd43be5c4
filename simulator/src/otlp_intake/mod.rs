//! An OTLP intake on loopback that applies the rules of Datadog or of another backend, for the demo and for tests over real
//! sockets.
//!
//! It accepts protobuf and JSON (gzip, zstd or not compressed) at `/v1/logs`, `/v1/metrics` and `/v1/traces` of its HTTP
//! port, and gRPC at another port. It keeps what it accepted in the order of arrival, notifies subscribers at once, and
//! finds points that overwrite each other in Datadog. [`OtlpIntake::fail_next`] scripts single failures,
//! [`OtlpIntake::answer_all`] and [`OtlpIntake::refuse_connections`] lasting ones.

mod accept;
mod checks;
mod grpc;
mod http;
mod overwrites;
mod port;
pub mod profile;
mod received;
mod response;
mod rules;
mod script;
mod server;
pub mod tags;
mod views;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpSocket;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use checks::Lost;
pub use overwrites::Overwrite;
pub use profile::{DATADOG, Profile};
pub use received::{Attempt, Received, ReceivedData, Signal};
pub use rules::{CUMULATIVE_REFUSED, SizeLimits};
pub use script::ScriptedReply;
pub use views::{PointValue, ReceivedPoint, ReceivedRecord, Temporality};

use crate::locked;
use overwrites::Overwrites;
use wire::Protocol;

/// The number of arrivals by which a subscriber may lag before it misses some.
const SUBSCRIBER_LAG: usize = 4096;

/// The options of an intake.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// The address for HTTP, which must be loopback; on a free port by default.
    pub address: SocketAddr,
    /// The address for gRPC, likewise.
    pub grpc_address: SocketAddr,
    /// The key that is required in the profile's header; `None` accepts every request.
    pub api_key: Option<String>,
    /// The largest accepted requests.
    pub limits: SizeLimits,
    /// The rules of the backend.
    pub profile: Profile,
}

impl IntakeOptions {
    /// All rules of a backend, with this key.
    pub fn of(profile: Profile, key: &str) -> IntakeOptions {
        IntakeOptions {
            api_key: Some(key.into()),
            limits: profile.limits,
            profile,
            ..IntakeOptions::default()
        }
    }
}

impl Default for IntakeOptions {
    fn default() -> Self {
        IntakeOptions {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            grpc_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: None,
            limits: SizeLimits::default(),
            // Points of any time, and gRPC, are accepted unless a test configures these rules, too.
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
    state: Arc<IntakeState>,
    stop: CancellationToken,
    /// True while the ports are to be closed.
    closed: watch::Sender<bool>,
    /// True while each port is open.
    listening: [watch::Receiver<bool>; 2],
    servers: Vec<JoinHandle<()>>,
}

/// The state that all connections share.
#[derive(Debug)]
struct IntakeState {
    options: IntakeOptions,
    record: Mutex<IntakeRecord>,
    arrivals: broadcast::Sender<Arc<Received>>,
}

#[derive(Debug, Default)]
struct IntakeRecord {
    received: Vec<Arc<Received>>,
    refused: Vec<Arc<Received>>,
    attempts: Vec<Attempt>,
    script: HashMap<Signal, VecDeque<ScriptedReply>>,
    lasting: HashMap<Signal, ScriptedReply>,
    overwrites: Overwrites,
    rejected: usize,
    lost: Vec<Lost>,
}

impl IntakeRecord {
    /// Takes the scripted reply to the next request of a signal, or the lasting one, if any.
    fn scripted(&mut self, signal: Signal) -> Option<ScriptedReply> {
        let next = self.script.get_mut(&signal).and_then(VecDeque::pop_front);
        next.or_else(|| self.lasting.get(&signal).cloned())
    }
}

impl IntakeState {
    fn record(&self) -> MutexGuard<'_, IntakeRecord> {
        locked(&self.record)
    }
}

impl OtlpIntake {
    /// Starts an intake on a free port of 127.0.0.1 that requires the given `dd-api-key`, if any.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(api_key: Option<String>) -> io::Result<OtlpIntake> {
        OtlpIntake::start_with(IntakeOptions {
            api_key,
            ..IntakeOptions::default()
        })
        .await
    }

    /// Starts an intake.
    ///
    /// # Errors
    /// If the address is not loopback, or it cannot listen there.
    pub async fn start_with(options: IntakeOptions) -> io::Result<OtlpIntake> {
        for found in [options.address, options.grpc_address] {
            if !found.ip().is_loopback() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("the intake listens on loopback only, found {found}"),
                ));
            }
        }
        let (http, address) = port::reserve(options.address)?;
        let (grpc, grpc_address) = port::reserve(options.grpc_address)?;
        let state = Arc::new(IntakeState {
            options,
            record: Mutex::default(),
            arrivals: broadcast::Sender::new(SUBSCRIBER_LAG),
        });
        let stop = CancellationToken::new();
        let (closed, close) = watch::channel(false);
        let mut servers = Vec::new();
        let mut open = |socket: TcpSocket, address, protocol| -> io::Result<watch::Receiver<bool>> {
            let listener = socket.listen(port::BACKLOG)?;
            let (opened, listening) = watch::channel(true);
            let close = close.clone();
            let control = port::PortControl { address, close, opened };
            let server = server::serve(listener, control, protocol, Arc::clone(&state), stop.clone());
            servers.push(tokio::spawn(server));
            Ok(listening)
        };
        let listening = [
            open(http, address, Protocol::Http)?,
            open(grpc, grpc_address, Protocol::Grpc)?,
        ];
        Ok(OtlpIntake {
            address,
            grpc_address,
            state,
            stop,
            closed,
            listening,
            servers,
        })
    }

    /// The base URL: `http://127.0.0.1:PORT` and the prefix of the backend's paths.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.state.options.profile.path)
    }

    /// The listen address for gRPC, without TLS.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc_address
    }

    /// The listen address for HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The accepted requests, in the order of arrival.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.state.record().received.clone()
    }

    /// The accepted requests after the first `known` ones, in the order of arrival.
    pub fn received_after(&self, known: usize) -> Vec<Arc<Received>> {
        self.state.record().received.get(known..).unwrap_or_default().to_vec()
    }

    /// The data that [`ScriptedReply::Refuse`] and [`ScriptedReply::Reject`] refused for good, after the first `known`
    /// requests, in the order of arrival.
    pub fn refused_after(&self, known: usize) -> Vec<Arc<Received>> {
        self.state.record().refused.get(known..).unwrap_or_default().to_vec()
    }

    /// Every request with the status of its response, refused ones included.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.state.record().attempts.clone()
    }

    /// The requests accepted from now on, as they arrive.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Received>> {
        self.state.arrivals.subscribe()
    }

    /// The accepted metric points.
    pub fn points(&self) -> Vec<ReceivedPoint> {
        self.received()
            .iter()
            .flat_map(|received| received.payload.points())
            .collect()
    }

    /// The accepted log records.
    pub fn records(&self) -> Vec<ReceivedRecord> {
        self.received()
            .iter()
            .flat_map(|received| received.payload.records())
            .collect()
    }

    /// Points that overwrote one with a different value: same metric, same tags, same second. Datadog keeps only the last
    /// of them.
    pub fn violations(&self) -> Vec<Overwrite> {
        self.state.record().overwrites.found().to_vec()
    }

    /// The number of items that the rules refused in partial successes, scripted ones excluded.
    pub fn rejected(&self) -> usize {
        self.state.record().rejected
    }

    /// The data that was accepted, and silently dropped or cut.
    pub fn lost(&self) -> Vec<Lost> {
        self.state.record().lost.clone()
    }

    /// Scripts the reply to the next request of a signal; several calls queue up.
    pub fn fail_next(&self, signal: Signal, reply: ScriptedReply) {
        self.state.record().script.entry(signal).or_default().push_back(reply);
    }

    /// Sets the reply to every request of a signal; `None` is the usual one. Replies of
    /// [`fail_next`](OtlpIntake::fail_next) come first.
    pub fn answer_all(&self, signal: Signal, reply: Option<ScriptedReply>) {
        let mut record = self.state.record();
        match reply {
            Some(reply) => record.lasting.insert(signal, reply),
            None => record.lasting.remove(&signal),
        };
    }

    /// Drops the pending replies of [`fail_next`](OtlpIntake::fail_next).
    pub fn clear_script(&self) {
        self.state.record().script.clear();
    }

    /// Closes both ports, or opens them again. While closed, they refuse connections; open connections are reset. Returns
    /// once it is done.
    pub async fn refuse_connections(&self, refuse: bool) {
        self.closed.send_replace(refuse);
        for mut listening in self.listening.clone() {
            // An error means that the server has stopped.
            let _ = listening.wait_for(|now| *now != refuse).await;
        }
    }

    /// Stops listening, ends all connections and waits until that is done.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for server in self.servers.drain(..) {
            // The runtime has printed a panic of the server already.
            let _ = server.await;
        }
    }
}

impl Drop for OtlpIntake {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
