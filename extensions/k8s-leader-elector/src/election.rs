//! A leader election by a Lease. Pure: the Lease and the time are passed in.
//!
//! The rules are client-go's (`tools/leaderelection/leaderelection.go`): clocks of different machines are never compared.
//! A claim ends when the Lease has not changed for its duration, by the clock of the process that observes it. A leader
//! stops when it could not renew the Lease for `renew_deadline`, which is shorter.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;
use tokio::time::Instant;

/// The longest wait for the end of another replica's claim, unless this process's `lease_duration` is longer.
/// Controllers use 15 s to a few minutes; without a bound, a Lease written by hand could keep every replica on standby.
pub(crate) const LONGEST_CLAIM: Duration = Duration::from_secs(600);

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// How long a claim lasts without a renewal.
    pub(crate) lease_duration: Duration,
    /// How long a leader that cannot renew the Lease keeps the lead.
    pub(crate) renew_deadline: Duration,
    /// The time between two attempts.
    pub(crate) retry_period: Duration,
}

impl Times {
    /// The timeout of a request: a second one fits before the leader has to stop.
    pub(crate) fn request_timeout(self) -> Duration {
        self.renew_deadline / 2
    }
}

/// The next request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Create this Lease.
    Create(Lease),
    /// Replace the Lease with this one.
    Replace(Lease),
    /// None: another replica leads.
    Wait,
}

/// One process's view of the election.
#[derive(Debug)]
pub(crate) struct Election {
    identity: String,
    times: Times,
    /// The Lease's last version, and when it was first seen.
    seen: Option<(String, Instant)>,
    /// Until when this process leads.
    leads_until: Option<Instant>,
    /// The leader, as last seen.
    holder: String,
    /// The holder's claim, if it is longer than `longest_claim`.
    excessive: Option<Duration>,
}

impl Election {
    /// An election that has not seen the Lease yet. `identity` is the name of this process in the Lease.
    pub(crate) fn new(identity: String, times: Times) -> Self {
        Election {
            identity,
            times,
            seen: None,
            leads_until: None,
            holder: String::new(),
            excessive: None,
        }
    }

    /// The times of the election.
    pub(crate) fn times(&self) -> Times {
        self.times
    }

    /// True while this process leads.
    pub(crate) fn leads(&self, now: Instant) -> bool {
        self.leads_until.is_some_and(|until| now < until)
    }

    /// When this process stops leading unless it renews the Lease.
    pub(crate) fn leads_until(&self) -> Option<Instant> {
        self.leads_until
    }

    /// The leader, as last seen; empty without one.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// The name of this process in the Lease.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The claim of another holder, if it is longer than [`longest_claim`](Self::longest_claim).
    pub(crate) fn excessive_claim(&self) -> Option<Duration> {
        self.excessive
    }

    /// The longest wait for the end of another replica's claim.
    pub(crate) fn longest_claim(&self) -> Duration {
        LONGEST_CLAIM.max(self.times.lease_duration)
    }

    /// Decides on the Lease as it was read; `None` if it does not exist. `wall` is the time written into it, for people.
    pub(crate) fn decide(&mut self, lease: Option<&Lease>, name: &str, now: Instant, wall: Timestamp) -> Action {
        let Some(lease) = lease else {
            self.seen = None;
            return Action::Create(Lease {
                metadata: ObjectMeta {
                    name: Some(name.to_owned()),
                    labels: Some([("app.kubernetes.io/name".into(), "kube-job-collector".into())].into()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.claim(LeaseSpec::default(), false, 0, wall)),
            });
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        self.holder = holder.to_owned();
        let since = self.see(version(lease), now);
        let is_ours = holder == self.identity;
        // The holder may have other settings, so its own duration counts.
        let seconds = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let promised = seconds.map(Duration::from_secs);
        let longest = self.longest_claim();
        self.excessive = promised.filter(|promised| *promised > longest && !is_ours && !holder.is_empty());
        let duration = promised.unwrap_or(self.times.lease_duration).min(longest);
        if !is_ours && !holder.is_empty() && now.duration_since(since) < duration {
            self.leads_until = None;
            return Action::Wait;
        }
        let transitions = spec.lease_transitions.unwrap_or(0);
        let transitions = if is_ours {
            transitions
        } else {
            transitions.saturating_add(1)
        };
        Action::Replace(Lease {
            metadata: lease.metadata.clone(),
            spec: Some(self.claim(spec, is_ours, transitions, wall)),
        })
    }

    /// Since when the Lease has this version, by the clock of this process.
    fn see(&mut self, version: &str, now: Instant) -> Instant {
        match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.seen = Some((version.to_owned(), now));
                now
            }
        }
    }

    /// This process's claim, on top of the fields of `spec`.
    fn claim(&self, spec: LeaseSpec, is_ours: bool, transitions: i32, wall: Timestamp) -> LeaseSpec {
        let acquired = spec.acquire_time.clone().filter(|_| is_ours);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.times.lease_duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: Some(acquired.unwrap_or(MicroTime(wall))),
            renew_time: Some(MicroTime(wall)),
            lease_transitions: Some(transitions),
            ..spec
        }
    }

    /// Records that the Lease was written as decided, by a request sent at `asked`.
    pub(crate) fn wrote(&mut self, lease: &Lease, asked: Instant) {
        self.seen = Some((version(lease).to_owned(), asked));
        self.holder.clone_from(&self.identity);
        // From the request on: others may have read the Lease since.
        self.leads_until = Some(asked + self.times.renew_deadline);
    }

    /// Ends the lead. Returns the Lease to write, if this process holds `lease`.
    pub(crate) fn release(&mut self, mut lease: Lease, wall: Timestamp) -> Option<Lease> {
        self.leads_until = None;
        let spec = lease.spec.as_mut()?;
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            return None;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(wall));
        Some(lease)
    }
}

fn version(lease: &Lease) -> &str {
    lease.metadata.resource_version.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(2),
    };
    const WALL: Timestamp = Timestamp::UNIX_EPOCH;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn stored(mut lease: Lease, version: u32) -> Lease {
        lease.metadata.resource_version = Some(version.to_string());
        lease
    }

    fn claimed(action: Action) -> Lease {
        match action {
            Action::Create(lease) | Action::Replace(lease) => lease,
            Action::Wait => panic!("it waits"),
        }
    }

    fn spec(lease: &Lease) -> &LeaseSpec {
        lease.spec.as_ref().unwrap()
    }

    #[test]
    fn a_standby_leads_once_the_lease_has_expired() {
        let begin = Instant::now();
        let (mut a, mut b) = (Election::new("a".into(), TIMES), Election::new("b".into(), TIMES));
        let lease = stored(claimed(a.decide(None, "l", begin, WALL)), 1);
        a.wrote(&lease, begin);
        assert!(a.leads(begin + seconds(9)));
        // The age of a Lease is unknown at first sight, so b waits for the whole duration.
        let saw = begin + seconds(100);
        assert_eq!(b.decide(Some(&lease), "l", saw, WALL), Action::Wait);
        assert_eq!(b.decide(Some(&lease), "l", saw + seconds(14), WALL), Action::Wait);
        let renewed = stored(claimed(a.decide(Some(&lease), "l", saw + seconds(14), WALL)), 2);
        a.wrote(&renewed, saw + seconds(14));
        assert_eq!(b.decide(Some(&renewed), "l", saw + seconds(28), WALL), Action::Wait);
        assert_eq!(b.holder(), "a");
        let stopped = a.leads_until().unwrap();
        let first = saw + seconds(28) + seconds(15);
        let claim = claimed(b.decide(Some(&renewed), "l", first, WALL));
        assert!(stopped < first, "the old leader stopped before");
        assert_eq!(spec(&claim).lease_transitions, Some(1));
        let claim = stored(claim, 3);
        b.wrote(&claim, first);
        assert!(b.leads(first));
        assert_eq!(a.decide(Some(&claim), "l", first, WALL), Action::Wait);
        assert!(!a.leads(first));
    }

    #[test]
    fn a_standby_leads_at_once_after_a_release() {
        let begin = Instant::now();
        let (mut a, mut b) = (Election::new("a".into(), TIMES), Election::new("b".into(), TIMES));
        let lease = stored(claimed(a.decide(None, "l", begin, WALL)), 1);
        a.wrote(&lease, begin);
        assert!(!a.leads(begin + seconds(10)));
        a.wrote(&lease, begin + seconds(9));
        assert!(a.leads(begin + seconds(18)));

        let released = stored(a.release(lease.clone(), WALL).unwrap(), 2);
        assert!(!a.leads(begin));
        assert!(matches!(
            b.decide(Some(&released), "l", begin, WALL),
            Action::Replace(_)
        ));
        assert_eq!(b.release(lease, WALL), None, "it is not b's to release");
    }

    #[test]
    fn waits_at_most_ten_minutes_for_a_dead_holder() {
        let begin = Instant::now();
        let mut election = Election::new("a".into(), TIMES);
        let lease = |seconds: Option<i32>| Lease {
            metadata: ObjectMeta {
                resource_version: Some("7".into()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some("dead".into()),
                lease_duration_seconds: seconds,
                ..LeaseSpec::default()
            }),
        };
        for absurd in [601, i32::MAX] {
            let mut election = Election::new("a".into(), TIMES);
            let lease = lease(Some(absurd));
            assert_eq!(election.decide(Some(&lease), "l", begin, WALL), Action::Wait);
            assert_eq!(election.excessive_claim(), Some(seconds(absurd as u64)));
            assert_eq!(
                election.decide(Some(&lease), "l", begin + seconds(599), WALL),
                Action::Wait
            );
            let claim = claimed(election.decide(Some(&lease), "l", begin + seconds(600), WALL));
            assert_eq!(spec(&claim).lease_duration_seconds, Some(15));
        }
        // A negative value is ignored.
        for wrong in [Some(-1), None] {
            let lease = lease(wrong);
            assert_eq!(election.decide(Some(&lease), "l", begin, WALL), Action::Wait);
            assert_eq!(election.excessive_claim(), None);
            claimed(election.decide(Some(&lease), "l", begin + seconds(15), WALL));
        }
        assert_eq!(election.longest_claim(), seconds(600));
        let slow = Times {
            lease_duration: seconds(3600),
            ..TIMES
        };
        assert_eq!(Election::new("a".into(), slow).longest_claim(), seconds(3600));
    }

    #[test]
    fn claims_an_empty_lease_and_keeps_its_labels() {
        let mut election = Election::new("a".into(), TIMES);
        let lease = Lease {
            metadata: ObjectMeta {
                resource_version: Some("7".into()),
                labels: Some([("x".into(), "y".into())].into()),
                ..ObjectMeta::default()
            },
            spec: None,
        };
        let claim = claimed(election.decide(Some(&lease), "l", Instant::now(), WALL));
        assert_eq!(claim.metadata, lease.metadata);
        assert_eq!(spec(&claim).holder_identity.as_deref(), Some("a"));
    }
}
