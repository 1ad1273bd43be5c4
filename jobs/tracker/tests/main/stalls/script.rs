//! Random scripts of stuck and running Jobs, restarts, crashes, relists and take-overs: every stall that lasts is reported
//! once, and every reported one recovers or lasts.

use std::collections::{BTreeMap, BTreeSet};

use job_event::Notice;
use proptest::prelude::*;

use super::cluster::Cluster;

const AFTER: i64 = 60;
/// A stall is reported this long after its beginning at the latest.
const LATEST: i64 = AFTER + 40;
const CAUSES: [(&str, &str, &str); 3] = [
    (
        "ErrImagePull",
        "rpc error: code = NotFound desc = image a:1: not found",
        "ImagePull",
    ),
    (
        "CreateContainerConfigError",
        "configmap \"c\" not found",
        "ContainerConfig",
    ),
    ("CreateContainerError", "no space left on device", "RuntimeFailed"),
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Stick(usize, usize),
    Run(usize),
    Complete(usize),
    Fail(usize),
    Delete(usize),
    /// A Job is deleted while no process watches.
    Vanish(usize),
    Wait(i64),
    Relist,
    /// From now on events are acknowledged at once, or not.
    Acknowledge(bool),
    Restart,
    Crash,
    TakeOver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let job = 0usize..5;
    let step = prop_oneof![
        6 => (job.clone(), 0..CAUSES.len()).prop_map(|(job, cause)| Step::Stick(job, cause)),
        3 => job.clone().prop_map(Step::Run),
        1 => job.clone().prop_map(Step::Complete),
        1 => job.clone().prop_map(Step::Fail),
        1 => job.clone().prop_map(Step::Delete),
        1 => job.prop_map(Step::Vanish),
        8 => (1i64..120).prop_map(Step::Wait),
        1 => Just(Step::Relist),
        2 => any::<bool>().prop_map(Step::Acknowledge),
        1 => Just(Step::Restart),
        2 => Just(Step::Crash),
        1 => Just(Step::TakeOver),
    ];
    prop::collection::vec(step, 1..60)
}

/// The state of a Job.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It cannot start because of this cause; one Pod has been stuck since then.
    Stuck(usize, jiff::Timestamp),
    Runs,
    Ended,
    /// It is deleted, or was when a process started.
    Gone,
}

struct Script {
    cluster: Cluster,
    jobs: BTreeMap<String, State>,
    /// The names of the Jobs in use.
    names: [String; 5],
    /// The stalls that were reported, by Job.
    stalled: BTreeMap<String, BTreeSet<String>>,
    recovered: BTreeMap<String, BTreeSet<String>>,
    seen: usize,
}

impl Script {
    fn new() -> Script {
        let mut cluster = Cluster::new(AFTER);
        cluster.announce();
        cluster.add_standby();
        Script {
            cluster,
            jobs: BTreeMap::new(),
            names: std::array::from_fn(|job| format!("j{job}-0")),
            stalled: BTreeMap::new(),
            recovered: BTreeMap::new(),
            seen: 0,
        }
    }

    fn state(&self, job: usize) -> Option<State> {
        self.jobs.get(&self.names[job]).copied()
    }

    fn is_alive(&self, job: usize) -> bool {
        matches!(self.state(job), Some(State::Stuck(..) | State::Runs))
    }

    /// The name of a Job that has not ended; a new one if the last one has.
    fn name(&mut self, job: usize) -> String {
        if matches!(self.state(job), Some(State::Ended | State::Gone)) {
            self.names[job] = format!("j{job}-{}", self.jobs.len());
        }
        self.names[job].clone()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Stick(job, cause) => self.stick(job, cause),
            Step::Run(job) => {
                let name = self.name(job);
                if self.state(job) != Some(State::Runs) {
                    self.cluster.run(&name);
                    self.jobs.insert(name, State::Runs);
                }
            }
            Step::Complete(job) | Step::Fail(job) if self.is_alive(job) => {
                let name = self.names[job].clone();
                match step {
                    Step::Complete(_) => self.cluster.complete(&name),
                    _ => self.cluster.fail(&name),
                }
                self.jobs.insert(name, State::Ended);
            }
            Step::Delete(job) if self.is_alive(job) => {
                self.cluster.delete(&self.names[job]);
                self.jobs.insert(self.names[job].clone(), State::Ended);
            }
            Step::Vanish(job) if self.is_alive(job) => {
                self.cluster.vanish(&self.names[job]);
                self.jobs.insert(self.names[job].clone(), State::Gone);
                self.restart(Cluster::crash);
            }
            Step::Wait(seconds) => {
                // The state is compared with each event at the time of its emission.
                for _ in 0..seconds {
                    self.cluster.wait(1);
                    self.check();
                }
            }
            Step::Relist => self.cluster.list(),
            Step::Acknowledge(at_once) => {
                self.cluster.acknowledges = at_once;
                if at_once {
                    self.cluster.acknowledge();
                }
            }
            Step::Restart => self.restart(|cluster| {
                cluster.announce();
                cluster.crash();
            }),
            Step::Crash => self.restart(Cluster::crash),
            Step::TakeOver => self.restart(Cluster::take_over),
            Step::Complete(_) | Step::Fail(_) | Step::Delete(_) | Step::Vanish(_) => {}
        }
    }

    /// The next process may not see Jobs that ended before it starts.
    fn restart(&mut self, restart: impl FnOnce(&mut Cluster)) {
        restart(&mut self.cluster);
        for state in self.jobs.values_mut().filter(|state| **state == State::Ended) {
            *state = State::Gone;
        }
    }

    fn stick(&mut self, job: usize, cause: usize) {
        let name = self.name(job);
        let (reason, message, _) = CAUSES[cause];
        let since = match self.state(job) {
            Some(State::Stuck(_, since)) => since,
            Some(_) => {
                self.cluster.delete_pod(&name);
                self.cluster.now
            }
            None => self.cluster.now,
        };
        self.cluster.wait_for(&name, reason, message);
        self.jobs.insert(name, State::Stuck(cause, since));
    }

    /// Compares the notices since the last call with the states of the Jobs.
    fn check(&mut self) {
        for notice in &self.cluster.notices[self.seen..] {
            let name = &*notice.job().name;
            let state = self.jobs[name];
            match notice {
                Notice::Stalled(stalled) => {
                    let State::Stuck(cause, since) = state else {
                        panic!("{name} is {state:?} and reported as stalled")
                    };
                    assert_eq!(CAUSES[cause].2, stalled.cause, "{name}");
                    let lasted = self.cluster.now.duration_since(since).as_secs();
                    assert!(lasted >= AFTER, "{name} is reported after {lasted} s");
                    self.stalled
                        .entry(name.into())
                        .or_default()
                        .insert(stalled.cause.into());
                }
                Notice::Recovered(recovered) => {
                    assert!(
                        !matches!(state, State::Stuck(..)),
                        "{name} is {state:?} and reported as recovered"
                    );
                    let causes = recovered.causes.iter().map(|cause| cause.to_string());
                    self.recovered.entry(name.into()).or_default().extend(causes);
                }
                Notice::Missed(missed) => panic!("{missed:?}"),
            }
        }
        self.seen = self.cluster.notices.len();
    }

    /// Every stall that lasts is reported, and every reported one that does not has recovered.
    fn finish(&mut self) {
        for step in [Step::Acknowledge(true), Step::Wait(LATEST)] {
            self.step(step);
        }
        let none = BTreeSet::new();
        for (name, state) in &self.jobs {
            let stalled = self.stalled.get(name).unwrap_or(&none);
            let recovered = self.recovered.get(name).unwrap_or(&none);
            match state {
                State::Stuck(cause, _) => assert!(stalled.contains(CAUSES[*cause].2), "{name}: {stalled:?}"),
                State::Runs | State::Ended => {
                    assert!(recovered.is_superset(stalled), "{name}: {stalled:?} {recovered:?}")
                }
                State::Gone => {}
            }
        }
    }
}

fn play(steps: Vec<Step>) {
    let mut script = Script::new();
    for step in steps {
        script.step(step);
    }
    script.finish();
}

/// A replica reports a recovery, which is acknowledged after another one has reported one more stall.
#[test]
fn a_late_acknowledgement_of_a_recovery() {
    let mut steps = vec![Step::Stick(2, 0), Step::Wait(60), Step::Acknowledge(false)];
    steps.extend([Step::Run(2), Step::Wait(5), Step::TakeOver]);
    steps.extend([Step::Stick(2, 1), Step::Wait(60), Step::TakeOver, Step::Run(2)]);
    play(steps);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reports_each_stall_and_recovery_once(steps in steps()) {
        play(steps);
    }
}
