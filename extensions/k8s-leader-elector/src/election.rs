//! Who leads: a pure state machine over what a Lease says. No I/O and no clock.
//!
//! The rules are client-go's (`tools/leaderelection/leaderelection.go`): clocks of different machines are never compared.
//! Another's claim is over when the Lease has not changed for its duration by this process's own clock; and the leader
//! itself stops when it could not renew the Lease for `renew_deadline`, which is shorter.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The longest time to wait for another's claim to end, unless this process's own `lease_duration` is longer. Controllers
/// use 15 s to a few minutes; without a bound a Lease written by hand could keep every replica from leading for ever.
pub const LONGEST_CLAIM: Duration = Duration::from_secs(600);

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long a leader that says nothing is waited for.
    pub lease_duration: Duration,
    /// How long a leader that cannot renew the Lease goes on.
    pub renew_deadline: Duration,
    /// The time between two tries.
    pub retry_period: Duration,
}

impl Times {
    /// How long one request may take: there is time for another one before the leader has to stop.
    pub fn patience(self) -> Duration {
        self.renew_deadline / 2
    }
}

/// What to do with the Lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// There is none: make this one.
    Create(Value),
    /// Write this one in its place.
    Replace(Value),
    /// Another process leads.
    Wait,
}

/// One process's view of the election.
#[derive(Debug)]
pub struct Election {
    identity: String,
    times: Times,
    /// The Lease's version when it was last seen to change, and when that was.
    seen: Option<(String, Instant)>,
    /// Until when this process leads.
    leads_until: Option<Instant>,
    /// Who leads, as last seen.
    holder: String,
    /// The holder's claim, if it is longer than `longest_claim`.
    excessive: Option<Duration>,
}

impl Election {
    /// A process that is known as `identity` and has seen nothing yet.
    pub fn new(identity: String, times: Times) -> Self {
        Election {
            identity,
            times,
            seen: None,
            leads_until: None,
            holder: String::new(),
            excessive: None,
        }
    }

    /// The election's times.
    pub fn times(&self) -> Times {
        self.times
    }

    /// Whether this process leads.
    pub fn leads(&self, now: Instant) -> bool {
        self.leads_until.is_some_and(|until| now < until)
    }

    /// When this process stops leading unless the Lease is renewed.
    pub fn leads_until(&self) -> Option<Instant> {
        self.leads_until
    }

    /// Who leads, as last seen; empty if nobody does.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// The name of this process in the Lease.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The claim of another holder, if it is longer than [`longest_claim`](Self::longest_claim).
    pub fn excessive_claim(&self) -> Option<Duration> {
        self.excessive
    }

    /// The longest time that this process waits for another's claim to end.
    pub fn longest_claim(&self) -> Duration {
        LONGEST_CLAIM.max(self.times.lease_duration)
    }

    /// What to do, now that the Lease looks like this (`None`: there is none). `wall` is what is written into it, for people.
    pub fn decide(&mut self, lease: Option<&Value>, name: &str, now: Instant, wall: Timestamp) -> Action {
        let wall = format!("{wall:.6}");
        let Some(lease) = lease else {
            self.seen = None;
            return Action::Create(json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "kube-job-collector"}},
                "spec": {"holderIdentity": self.identity, "leaseDurationSeconds": self.times.lease_duration.as_secs(),
                    "acquireTime": wall, "renewTime": wall, "leaseTransitions": 0},
            }));
        };
        let spec = &lease["spec"];
        let version = lease["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let holder = spec["holderIdentity"].as_str().unwrap_or_default();
        self.holder = holder.to_owned();
        if self.seen.as_ref().is_none_or(|(seen, _)| seen != version) {
            self.seen = Some((version.to_owned(), now));
        }
        let is_ours = holder == self.identity;
        let since = self.seen.as_ref().map_or(now, |(_, since)| *since);
        // What the holder promises counts, as it may have other settings.
        let promised = spec["leaseDurationSeconds"].as_u64().map(Duration::from_secs);
        let duration = promised.unwrap_or(self.times.lease_duration);
        let longest = self.longest_claim();
        self.excessive = promised.filter(|promised| *promised > longest && !is_ours && !holder.is_empty());
        let duration = duration.min(longest);
        if !is_ours && !holder.is_empty() && now.duration_since(since) < duration {
            self.leads_until = None;
            return Action::Wait;
        }
        let mut lease = lease.clone();
        let transitions = spec["leaseTransitions"].as_i64().unwrap_or(0);
        if !is_ours {
            lease["spec"]["acquireTime"] = json!(wall);
            lease["spec"]["leaseTransitions"] = json!(transitions.saturating_add(1));
        }
        lease["spec"]["holderIdentity"] = json!(self.identity);
        lease["spec"]["leaseDurationSeconds"] = json!(self.times.lease_duration.as_secs());
        lease["spec"]["renewTime"] = json!(wall);
        Action::Replace(lease)
    }

    /// The Lease was written as it was decided; the request was begun at `asked`.
    pub fn wrote(&mut self, lease: &Value, asked: Instant) {
        let version = lease["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        self.seen = Some((version.to_owned(), asked));
        self.holder.clone_from(&self.identity);
        // From when it was asked: others may have seen it any time since.
        self.leads_until = Some(asked + self.times.renew_deadline);
    }

    /// The Lease that gives up the lead, if this process has it: `lease` is how it looks now.
    pub fn release(&mut self, lease: &Value, wall: Timestamp) -> Option<Value> {
        self.leads_until = None;
        if lease["spec"]["holderIdentity"] != *self.identity {
            return None;
        }
        let mut lease = lease.clone();
        lease["spec"]["holderIdentity"] = json!("");
        lease["spec"]["leaseDurationSeconds"] = json!(1);
        lease["spec"]["renewTime"] = json!(format!("{wall:.6}"));
        Some(lease)
    }
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

    fn stored(mut lease: Value, version: u32) -> Value {
        lease["metadata"]["resourceVersion"] = json!(version.to_string());
        lease
    }

    fn taken(action: Action) -> Value {
        match action {
            Action::Create(lease) | Action::Replace(lease) => lease,
            Action::Wait => panic!("it waits"),
        }
    }

    #[test]
    fn another_leads_only_after_the_lease_has_not_changed_for_its_duration() {
        let begin = Instant::now();
        let (mut a, mut b) = (Election::new("a".into(), TIMES), Election::new("b".into(), TIMES));
        let lease = stored(taken(a.decide(None, "l", begin, WALL)), 1);
        a.wrote(&lease, begin);
        assert!(a.leads(begin + seconds(9)));
        // What b first sees may be as old as it likes: it waits for the whole duration.
        let saw = begin + seconds(100);
        assert_eq!(b.decide(Some(&lease), "l", saw, WALL), Action::Wait);
        assert_eq!(b.decide(Some(&lease), "l", saw + seconds(14), WALL), Action::Wait);
        let renewed = stored(taken(a.decide(Some(&lease), "l", saw + seconds(14), WALL)), 2);
        a.wrote(&renewed, saw + seconds(14));
        assert_eq!(b.decide(Some(&renewed), "l", saw + seconds(28), WALL), Action::Wait);
        assert_eq!(b.holder(), "a");
        let stopped = a.leads_until().unwrap();
        let first = saw + seconds(28) + seconds(15);
        let taken = taken(b.decide(Some(&renewed), "l", first, WALL));
        assert!(stopped < first, "the old leader stopped before");
        assert_eq!(taken["spec"]["leaseTransitions"], 1);
        let taken = stored(taken, 3);
        b.wrote(&taken, first);
        assert!(b.leads(first));
        assert_eq!(a.decide(Some(&taken), "l", first, WALL), Action::Wait);
        assert!(!a.leads(first));
    }

    #[test]
    fn who_cannot_renew_stops_and_who_releases_is_followed_at_once() {
        let begin = Instant::now();
        let (mut a, mut b) = (Election::new("a".into(), TIMES), Election::new("b".into(), TIMES));
        let lease = stored(taken(a.decide(None, "l", begin, WALL)), 1);
        a.wrote(&lease, begin);
        assert!(!a.leads(begin + seconds(10)));
        a.wrote(&lease, begin + seconds(9));
        assert!(a.leads(begin + seconds(18)));

        let released = stored(a.release(&lease, WALL).unwrap(), 2);
        assert!(!a.leads(begin));
        assert!(matches!(
            b.decide(Some(&released), "l", begin, WALL),
            Action::Replace(_)
        ));
        assert_eq!(b.release(&lease, WALL), None, "it is not b's to release");
    }

    #[test]
    fn waits_at_most_ten_minutes_for_a_dead_holder() {
        let begin = Instant::now();
        let mut election = Election::new("a".into(), TIMES);
        let lease = |seconds: Value| json!({"metadata": {"resourceVersion": "7"}, "spec": {"holderIdentity": "dead", "leaseDurationSeconds": seconds}});
        for absurd in [json!(601), json!(1_000_000_000_000_000_000_u64), json!(u64::MAX)] {
            let mut election = Election::new("a".into(), TIMES);
            let lease = lease(absurd.clone());
            assert_eq!(election.decide(Some(&lease), "l", begin, WALL), Action::Wait);
            assert_eq!(election.excessive_claim().map(|claim| claim.as_secs()), absurd.as_u64());
            assert_eq!(
                election.decide(Some(&lease), "l", begin + seconds(599), WALL),
                Action::Wait
            );
            let taken = taken(election.decide(Some(&lease), "l", begin + seconds(600), WALL));
            assert_eq!(taken["spec"]["leaseDurationSeconds"], 15);
        }
        // A value that is negative or no whole number is ignored.
        for wrong in [json!(-1), json!("15"), json!(1e30), json!(null)] {
            let lease = lease(wrong);
            assert_eq!(election.decide(Some(&lease), "l", begin, WALL), Action::Wait);
            assert_eq!(election.excessive_claim(), None);
            taken(election.decide(Some(&lease), "l", begin + seconds(15), WALL));
        }
        assert_eq!(election.longest_claim(), seconds(600));
        let slow = Times {
            lease_duration: seconds(3600),
            ..TIMES
        };
        assert_eq!(Election::new("a".into(), slow).longest_claim(), seconds(3600));
    }

    #[test]
    fn a_lease_that_others_wrote_by_hand_is_understood() {
        let mut election = Election::new("a".into(), TIMES);
        let lease = json!({"metadata": {"resourceVersion": "7", "labels": {"x": "y"}}, "spec": {}});
        let taken = taken(election.decide(Some(&lease), "l", Instant::now(), WALL));
        assert_eq!(taken["metadata"], lease["metadata"], "what else is in it stays");
        assert_eq!(taken["spec"]["holderIdentity"], "a");
    }
}
