//! The faults of a run and their times, generated from a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use simulator::otlp_intake::{ScriptedReply as Reply, Signal};
use simulator::{Cut, Fault, Ids, Isolation, Matching, Resource, Verb};

use crate::variant::Variant;

/// The number of reloads.
const RELOADS: usize = 10;

/// The storage of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing survives the process.
    None,
    /// `file_storage`: one process and its disk.
    File,
    /// `k8s_storage` and `k8s_leader_elector`: two processes.
    Cluster,
}

impl Durability {
    /// How many processes there are.
    pub(crate) fn replicas(self) -> usize {
        if self == Durability::Cluster { 2 } else { 1 }
    }
}

/// A fault, or the end of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Watches are cut, of all resources or of one.
    Cut(Cut, Option<Resource>),
    /// All watches end with a 410 in the stream.
    Expire,
    /// The API server forgets the versions so far: a watch that resumes now gets a 410.
    Compact,
    /// Some of the next requests get this answer.
    Fault(usize, Matching, Fault),
    /// The watches of a resource fall silent, or continue.
    Stall(Resource, bool),
    /// Watches repeat their last lines.
    Repeat,
    /// The token of a replica expires; its kubeconfig has a new one.
    Token(usize),
    /// A replica is cut off from the API, or admitted again.
    Isolate(usize, Option<Isolation>),
    /// The backend refuses connections, or accepts them again.
    Close(bool),
    /// The backend answers all requests of a signal like this, or as usual.
    Backend(Signal, Option<Reply>),
    /// The backend answers the next request of a signal like this.
    BackendOnce(Signal, Reply),
    /// A replica is killed without a chance to shut down.
    Kill(usize),
    /// A replica is stopped, as in a rollout.
    Stop(usize),
    /// A replica that was killed is started.
    Start(usize),
    /// The disk of a replica is full, or has space again.
    Disk(usize, bool),
    /// A replica gets another configuration and SIGHUP.
    Reload(usize, Variant),
}

impl Action {
    /// The kind of the fault, for counting; `None` for the end of one.
    pub(crate) fn kind(&self) -> Option<String> {
        Some(match self {
            Action::Cut(cut, _) => match cut {
                Cut::End => "watch ended".into(),
                Cut::EndMidLine => "watch ended mid-line".into(),
                Cut::Reset => "watch reset".into(),
                Cut::ResetMidLine => "watch reset mid-line".into(),
            },
            Action::Expire => "410 in the stream".into(),
            Action::Compact => "compaction".into(),
            Action::Fault(_, _, answer) => match answer {
                Fault::Status { code, .. } => format!("API {code}"),
                Fault::ExpiredInBand => "410 in the stream".into(),
                Fault::BrokenList => "streaming list reset".into(),
                Fault::Reset => "API reset".into(),
                Fault::LostAnswer => "API answer lost".into(),
                Fault::Silence => "API silence".into(),
            },
            Action::Stall(_, true) => "stall".into(),
            Action::Repeat => "repetition".into(),
            Action::Token(_) => "token expired".into(),
            Action::Isolate(_, Some(_)) => "cut off from the API".into(),
            Action::Close(true) => "backend refuses connections".into(),
            Action::Backend(_, Some(reply)) | Action::BackendOnce(_, reply) => match reply {
                Reply::Response { status, .. } | Reply::Refuse { status } => format!("backend {status}"),
                Reply::AcceptAndRespond { status, .. } => format!("backend {status} after taking"),
                Reply::DropConnection => "backend drops connection".into(),
                Reply::Hang => "backend hangs".into(),
                Reply::AcceptAndHang => "backend hangs after taking".into(),
                Reply::Delay(_) => "backend slow".into(),
                Reply::Trickle(_) => "backend slow body".into(),
                Reply::Status { code, .. } => format!("backend gRPC status {code}"),
                Reply::Endless => "backend endless body".into(),
                Reply::Reject(_) => "partial success".into(),
            },
            Action::Kill(_) => "kill -9".into(),
            Action::Stop(_) => "SIGTERM".into(),
            Action::Disk(_, true) => "disk full".into(),
            Action::Reload(_, variant) if variant.is_valid() => "reload".into(),
            Action::Reload(..) => "reload of an invalid configuration".into(),
            Action::Stall(_, false)
            | Action::Isolate(_, None)
            | Action::Close(false)
            | Action::Backend(_, None)
            | Action::Start(_)
            | Action::Disk(_, false) => return None,
        })
    }
}

/// The steps, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script(pub Vec<(Duration, Action)>);

/// The conditions of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// The storage with which the collector survives; without any it is not killed.
    pub durability: Durability,
    /// How long the faults last.
    pub lasts: Duration,
    /// True if a disk can be filled: on Linux, by a limit of the size of files.
    pub disk: bool,
}

impl Script {
    /// The script of a seed.
    pub(crate) fn new(seed: u64, setting: Setting) -> Script {
        let mut dice = Dice::new(seed ^ 0x005c_21b7);
        let mut actions: Vec<(Duration, Action)> = Vec::new();
        let lasts = u64::try_from(setting.lasts.as_millis()).unwrap_or(u64::MAX);
        let ms = Duration::from_millis;
        for _ in 0..10 + dice.below(8) {
            let at = ms(dice.below(lasts));
            let until = at + ms(300 + dice.below(2000));
            let mut begin = |action| actions.push((at, action));
            match dice.below(17) {
                0..=1 => begin(Action::Cut(dice.cut(), None)),
                2 => begin(Action::Cut(dice.cut(), Some(dice.watched()))),
                3 => begin(Action::Expire),
                4 => begin(Action::Compact),
                5..=6 => {
                    let (count, matching, answer) = dice.api_answer();
                    begin(Action::Fault(count, matching, answer));
                    // The answer has no effect without a request.
                    begin(Action::Cut(dice.cut(), None));
                }
                7 => {
                    let resource = dice.watched();
                    begin(Action::Stall(resource, true));
                    actions.push((until, Action::Stall(resource, false)));
                }
                8 => begin(Action::Repeat),
                9 => begin(Action::Token(dice.below(setting.durability.replicas() as u64) as usize)),
                10 => {
                    let replica = dice.below(setting.durability.replicas() as u64) as usize;
                    let how = dice.of(&[Isolation::Reset, Isolation::Silence]);
                    begin(Action::Isolate(replica, Some(how)));
                    actions.push((until, Action::Isolate(replica, None)));
                }
                11 => {
                    begin(Action::Close(true));
                    actions.push((until, Action::Close(false)));
                }
                12 if setting.durability == Durability::Cluster => {
                    let (count, matching, answer) = dice.store_answer();
                    begin(Action::Fault(count, matching, answer));
                }
                12..=14 => {
                    let signal = dice.of(&[Signal::Logs, Signal::Metrics]);
                    begin(Action::Backend(signal, Some(dice.lasting_reply())));
                    actions.push((until, Action::Backend(signal, None)));
                }
                _ => {
                    let signal = dice.of(&[Signal::Logs, Signal::Metrics]);
                    for _ in 0..1 + dice.below(3) {
                        begin(Action::BackendOnce(signal, dice.single_reply()));
                    }
                }
            }
        }
        if setting.durability != Durability::None {
            dice.deaths(setting, lasts, &mut actions);
            // Dice of their own: reloads do not change the other faults of a seed.
            Dice::new(seed ^ 0x7e10_ad00).reloads(setting, lasts, &mut actions);
        }
        actions.sort_by_key(|(at, _)| *at);
        Script(actions)
    }

    /// True if it reloads a configuration.
    pub(crate) fn has_reloads(&self) -> bool {
        self.0.iter().any(|(_, action)| matches!(action, Action::Reload(..)))
    }

    /// How many faults of each kind there are.
    pub(crate) fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for kind in self.0.iter().filter_map(|(_, action)| action.kind()) {
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, action) in &self.0 {
            writeln!(f, "{:>8.3} s  {action:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

/// The random numbers of a seed.
pub(crate) struct Dice(Ids);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(Ids::new(seed))
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0.bits() % limit.max(1)
    }

    /// One of them.
    pub(crate) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len() as u64) as usize;
        choices[index].clone()
    }

    fn cut(&mut self) -> Cut {
        self.of(&[Cut::End, Cut::EndMidLine, Cut::Reset, Cut::ResetMidLine])
    }

    fn watched(&mut self) -> Resource {
        self.of(&[Resource::Jobs, Resource::Pods, Resource::Events, Resource::CronJobs])
    }

    fn api_answer(&mut self) -> (usize, Matching, Fault) {
        let status = |code, retry_after| Fault::Status { code, retry_after };
        let answer = self.of(&[
            status(429, Some(1)),
            status(500, None),
            status(503, None),
            status(410, None),
            Fault::ExpiredInBand,
            Fault::BrokenList,
            Fault::Reset,
            Fault::Silence,
        ]);
        let verb = match answer {
            Fault::Status { code: 410, .. } | Fault::ExpiredInBand | Fault::BrokenList => Verb::Watch,
            _ => self.of(&[Verb::Watch, Verb::List]),
        };
        let count = 1 + self.below(4) as usize;
        (count, Matching::new(verb, self.watched()), answer)
    }

    /// Faults of reads and writes of the stored state and the Lease.
    fn store_answer(&mut self) -> (usize, Matching, Fault) {
        let status = |code| Fault::Status {
            code,
            retry_after: None,
        };
        let answer = self.of(&[
            status(429),
            status(500),
            status(503),
            status(409),
            Fault::Reset,
            Fault::LostAnswer,
            Fault::LostAnswer,
        ]);
        let matching = Matching {
            resource: Some(self.of(&[Resource::ConfigMaps, Resource::ConfigMaps, Resource::Leases])),
            verb: None,
        };
        (1 + self.below(4) as usize, matching, answer)
    }

    /// Answers after which the data is sent again.
    fn lasting_reply(&mut self) -> Reply {
        self.of(&[
            Reply::status(503),
            Reply::status(502),
            Reply::status(429).header("retry-after", "1"),
            Reply::status(503).but_accept(),
            Reply::DropConnection,
            Reply::Hang,
            Reply::AcceptAndHang,
            Reply::Delay(Duration::from_millis(700)),
            Reply::Trickle(Duration::from_millis(700)),
        ])
    }

    fn single_reply(&mut self) -> Reply {
        let refused = self.of(&[400, 403, 500]);
        let rejected = 1 + self.below(5) as usize;
        let lasting = self.lasting_reply();
        self.of(&[
            Reply::Refuse { status: refused },
            Reply::Refuse { status: 413 },
            Reply::Reject(rejected),
            lasting,
        ])
    }

    /// The process dies, once or several times, and its disk may be full.
    fn deaths(&mut self, setting: Setting, lasts: u64, actions: &mut Vec<(Duration, Action)>) {
        let ms = Duration::from_millis;
        let mut from = vec![0; setting.durability.replicas()];
        for _ in 0..1 + self.below(3) {
            let replica = self.below(from.len() as u64) as usize;
            let at = from[replica] + self.below(lasts / 2);
            let back = at + 50 + self.below(1500);
            if at >= lasts {
                continue;
            }
            from[replica] = back + 100;
            let end = self.of(&[Action::Kill(replica), Action::Kill(replica), Action::Stop(replica)]);
            actions.push((ms(at), end));
            actions.push((ms(back), Action::Start(replica)));
        }
        if setting.disk && self.below(2) == 0 {
            let at = self.below(lasts);
            actions.push((ms(at), Action::Disk(0, true)));
            actions.push((ms(at + 300 + self.below(1500)), Action::Disk(0, false)));
        }
    }

    /// Configurations are changed at random moments, each a change of the one before.
    fn reloads(&mut self, setting: Setting, lasts: u64, actions: &mut Vec<(Duration, Action)>) {
        let mut times: Vec<u64> = (0..RELOADS).map(|_| self.below(lasts)).collect();
        times.sort_unstable();
        let mut last = vec![Variant::FIRST; setting.durability.replicas()];
        for at in times {
            let replica = self.below(last.len() as u64) as usize;
            let variant = last[replica].next(self);
            if variant.is_valid() {
                last[replica] = variant;
            }
            actions.push((Duration::from_millis(at), Action::Reload(replica, variant)));
        }
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
