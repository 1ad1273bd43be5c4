//! Derives the receiver's health from the health of its watches. Pure: the time is passed in, from a monotonic clock.

use std::collections::BTreeMap;
use std::time::Duration;

use collector_runtime::health::Status;
use tokio::time::Instant;

use crate::outage::{Outage, SoFar};
use job_watch::access;
use job_watch::watch::gap::{Ending, Gap};
use job_watch::watch::machine::Failure;
use job_watch::watch::request::Target;
use job_watch::{Kind, Source};

/// For how long a watch may fail before the receiver is not well: an API server that is restarted takes less.
const STALE: Duration = Duration::from_secs(60);
/// How long a watch may receive nothing. Dead connections are detected and replaced earlier.
const SILENT: Duration = Duration::from_secs(240);
/// A gap that is worth a line even though nothing is missing after it.
const LONG_GAP: Duration = Duration::from_secs(30);

/// The condition of every list and watch.
#[derive(Debug)]
pub struct Conditions {
    watches: BTreeMap<(Kind, u16), Watch>,
    outage: Outage,
    /// Where the API server is, if that is known.
    server: Option<String>,
}

#[derive(Debug)]
struct Watch {
    target: Target,
    /// Whether a list has been in.
    listed: bool,
    /// Whether it may not be listed or watched.
    denied: bool,
    problem: Option<Problem>,
    /// The last sign of life of a watch that follows.
    heard: Instant,
}

#[derive(Debug)]
struct Problem {
    what: String,
    since: Instant,
}

impl Conditions {
    /// None of the lists is in yet.
    pub fn new(targets: &[Target], server: Option<String>, now: Instant) -> Self {
        let watch = |target: &Target| Watch {
            target: target.clone(),
            listed: false,
            denied: false,
            problem: None,
            heard: now,
        };
        let watches = targets
            .iter()
            .map(|target| ((target.source.kind, target.source.scope), watch(target)));
        Conditions {
            watches: watches.collect(),
            outage: Outage::default(),
            server,
        }
    }

    /// A list or watch failed at `now` for the `times`-th time in a row.
    pub fn failed(&mut self, source: Source, failure: &Failure, times: u32, now: Instant) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        let what = watch.target.describe();
        let denied = failure.is_denied();
        if denied && source.kind != Kind::Jobs {
            // Of Events those about nodes matter least, and who may not read them may not read the others, which is told.
            if !std::mem::replace(&mut watch.denied, true) && source.kind != Kind::NodeEvents {
                let loss = access::loss(source.kind);
                let fix = access::rule(&watch.target);
                tracing::warn!(what, %failure, "not allowed; {loss}. For the collector's account: {fix}");
            }
            watch.problem = None;
            self.recovered(now);
            return;
        }
        // A failure of a watch that works is daily life: connections are closed, versions expire.
        let daily = match failure {
            Failure::Status { code: 410, .. } => times < 4,
            // No API server answers so.
            Failure::BadList(_) | Failure::TooLarge(_) => false,
            _ => times < 2,
        };
        if daily && watch.listed {
            return;
        }
        let problem = match failure {
            _ if denied => format!("{failure}; {}", access::rule(&watch.target)),
            Failure::Connection(problem) => match &self.server {
                Some(server) => format!("cannot reach the API server {server}: {problem}"),
                None => failure.to_string(),
            },
            _ => failure.to_string(),
        };
        if let Some(SoFar { tries, lasted }) = self.outage.failed(now) {
            let server = self.server.as_deref();
            if tries == 1 {
                tracing::warn!(what, server, problem, "list or watch failed; retrying");
            } else {
                let lasted = seconds(lasted);
                tracing::warn!(
                    what,
                    server,
                    problem,
                    tries,
                    lasted,
                    "lists and watches still failing; retrying"
                );
            }
        }
        let since = watch.problem.take().map_or(now, |problem| problem.since);
        watch.problem = Some(Problem { what: problem, since });
    }

    /// A list or watch gave a sign of life at `now`.
    pub fn heard(&mut self, source: Source, now: Instant) {
        if let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) {
            watch.heard = now;
        }
    }

    /// A watch follows again after a gap. Of an outage that was told, the end is told for all watches together.
    pub fn follows(&self, source: Source, gap: Gap) {
        let Some(watch) = self.watches.get(&(source.kind, source.scope)) else {
            return;
        };
        let (what, by) = (watch.target.describe(), gap.ending.as_str());
        let length = seconds(gap.length);
        match (gap.ending, source.kind) {
            (Ending::Relisted, Kind::Jobs | Kind::Pods) => tracing::info!(
                what,
                gap = length,
                "follows again, with a new list; what was created and deleted in the gap is not in it"
            ),
            (_, Kind::Jobs) if gap.length >= LONG_GAP && !self.outage.lasts() => {
                tracing::info!(what, gap = length, by, "follows again");
            }
            _ => tracing::debug!(what, gap = length, by, "follows again"),
        }
    }

    /// A list or watch works.
    pub fn works(&mut self, source: Source, now: Instant) {
        let Some(watch) = self.watches.get_mut(&(source.kind, source.scope)) else {
            return;
        };
        if std::mem::replace(&mut watch.denied, false) && source.kind != Kind::NodeEvents {
            tracing::info!(what = watch.target.describe(), "is allowed now, and works");
        }
        watch.problem = None;
        watch.listed = true;
        self.recovered(now);
    }

    /// Says so once when nothing fails any more.
    fn recovered(&mut self, now: Instant) {
        if self.watches.values().any(|watch| watch.problem.is_some()) {
            return;
        }
        if let Some(SoFar { tries, lasted }) = self.outage.over(now) {
            let (server, lasted) = (self.server.as_deref(), seconds(lasted));
            tracing::info!(server, tries, lasted, "all lists and watches recovered");
        }
    }

    /// Whether every list that may be read was read.
    pub fn all_listed(&self) -> bool {
        self.watches.values().all(|watch| watch.listed || watch.denied)
    }

    /// For how long each kind has given no sign of life at `now`; of several namespaces the longest. Without what is
    /// not allowed.
    pub fn silence(&self, now: Instant) -> BTreeMap<Kind, Duration> {
        let mut silence = BTreeMap::new();
        for ((kind, _), watch) in &self.watches {
            if !watch.denied {
                let age = now.saturating_duration_since(watch.heard);
                let longest = silence.entry(*kind).or_insert(age);
                *longest = age.max(*longest);
            }
        }
        silence
    }

    /// The receiver's condition at `now`.
    pub fn status(&self, now: Instant) -> Status {
        // What keeps several from working is told once.
        let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for watch in self.watches.values().filter(|watch| !watch.denied) {
            if let Some(problem) = watch.problem_at(now) {
                problems.entry(problem).or_default().push(watch.target.describe());
            }
        }
        if problems.is_empty() {
            return match self.all_listed() {
                true => Status::Ok,
                false => Status::Starting,
            };
        }
        let problems = problems
            .into_iter()
            .map(|(problem, watches)| format!("{}: {problem}", watches.join(", ")));
        Status::RecoverableError(problems.collect::<Vec<_>>().join("; "))
    }
}

impl Watch {
    /// What is wrong with it at `now`, if it is worth more than a line in the log.
    fn problem_at(&self, now: Instant) -> Option<String> {
        let lasts = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        match &self.problem {
            Some(problem) if !self.listed || lasts(problem.since, STALE) => Some(problem.what.clone()),
            None if self.listed && lasts(self.heard, SILENT) => {
                Some(format!("nothing received for more than {} s", SILENT.as_secs()))
            }
            _ => None,
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use job_watch::watch::request::targets;

    const JOBS: Source = Source {
        kind: Kind::Jobs,
        scope: 0,
    };

    thread_local! {
        /// When the test began: each runs on a thread of its own.
        static BEGAN: Instant = Instant::now();
    }

    fn at(second: u64) -> Instant {
        BEGAN.with(|began| *began) + Duration::from_secs(second)
    }

    fn refused() -> Failure {
        Failure::Connection("Connection refused".into())
    }

    /// The conditions of one watch for Jobs whose first list came in at 0.
    fn listed() -> Conditions {
        let mut jobs = targets(&[], &[], "");
        jobs.retain(|target| target.source == JOBS);
        let mut conditions = Conditions::new(&jobs, None, at(0));
        assert_eq!(conditions.status(at(0)), Status::Starting);
        conditions.works(JOBS, at(72));
        conditions
    }

    fn reason(conditions: &Conditions, second: u64) -> Option<String> {
        conditions.status(at(second)).reason().map(String::from)
    }

    #[test]
    fn a_watch_that_fails_for_a_moment_is_well_and_one_that_fails_for_longer_is_not() {
        let mut conditions = listed();
        for (times, second) in [(1, 10), (2, 11), (3, 13), (4, 40)] {
            conditions.failed(JOBS, &refused(), times, at(second));
        }
        assert_eq!(conditions.status(at(70)), Status::Ok);
        let told = reason(&conditions, 71).unwrap();
        assert_eq!(
            told,
            "jobs of the cluster: cannot reach the API server: Connection refused"
        );
        conditions.works(JOBS, at(72));
        assert_eq!(conditions.status(at(72)), Status::Ok);
        // The next failures are counted anew.
        conditions.heard(JOBS, at(72));
        conditions.failed(JOBS, &refused(), 2, at(73));
        assert_eq!(conditions.status(at(132)), Status::Ok);
    }

    #[test]
    fn versions_expire_every_day_but_not_all_the_time() {
        let mut conditions = listed();
        let expired = Failure::Status {
            code: 410,
            message: "m".into(),
            retry_after: None,
            in_band: true,
        };
        conditions.failed(JOBS, &expired, 3, at(10));
        assert_eq!(conditions.status(at(100)), Status::Ok);
        conditions.failed(JOBS, &expired, 4, at(100));
        assert!(reason(&conditions, 160).is_some());
    }

    #[test]
    fn reports_an_invalid_list_at_once() {
        let mut conditions = listed();
        conditions.failed(JOBS, &Failure::BadList("found {}".into()), 1, at(10));
        assert!(conditions.outage.lasts(), "and is logged");
        assert_eq!(conditions.status(at(69)), Status::Ok, "once may pass");
        assert!(reason(&conditions, 70).unwrap().contains("found {}"));
    }

    #[test]
    fn before_the_first_list_every_failure_counts() {
        let mut conditions = Conditions::new(&targets(&[], &[], ""), None, at(0));
        conditions.failed(JOBS, &refused(), 1, at(1));
        assert!(reason(&conditions, 1).is_some());
    }

    #[test]
    fn a_watch_without_a_sign_of_life_is_not_well() {
        let mut conditions = listed();
        conditions.heard(JOBS, at(100));
        assert_eq!(conditions.status(at(339)), Status::Ok);
        let told = reason(&conditions, 340).unwrap();
        assert_eq!(told, "jobs of the cluster: nothing received for more than 240 s");
        let silence = conditions.silence(at(130));
        assert_eq!(silence, BTreeMap::from([(Kind::Jobs, Duration::from_secs(30))]));
    }

    #[test]
    fn what_is_not_allowed_and_not_needed_is_not_waited_for() {
        let mut conditions = Conditions::new(&targets(&["a".into(), "b".into()], &[], ""), None, at(0));
        let denied = Failure::Status {
            code: 403,
            message: "m".into(),
            retry_after: None,
            in_band: false,
        };
        for scope in [1, 2] {
            for kind in Kind::ALL {
                match kind {
                    Kind::Jobs => conditions.works(Source { kind, scope }, at(0)),
                    _ => conditions.failed(Source { kind, scope }, &denied, 1, at(0)),
                }
            }
        }
        conditions.heard(Source { scope: 2, ..JOBS }, at(50));
        assert_eq!(conditions.status(at(60)), Status::Ok);
        let silence = conditions.silence(at(60));
        assert_eq!(silence, BTreeMap::from([(Kind::Jobs, Duration::from_secs(60))]));
    }
}
