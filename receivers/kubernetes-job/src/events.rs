//! The events in the pipeline, until they are acknowledged.

use std::collections::HashMap;
use std::sync::Arc;

use collector_data::{Ack, Batch, Outcome, Payload};
use collector_runtime::Outlet;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use job_event::evidence::Gap;
use job_event::{Evidence, Notice, Uid};
use job_tracker::outbox::{AckEvent, Outbox};

use crate::batch_sender::BatchSender;
use crate::telemetry::{Loss, Telemetry};

/// An event that is not acknowledged.
struct PendingEvent {
    namespace: Box<str>,
    /// The name of the Job or CronJob.
    name: Box<str>,
    /// The event's name and id, if it is a notice; the id of another one is the Job's UID.
    notice: Option<(&'static str, Box<str>)>,
    /// The event, if it may have to be sent again.
    payload: Option<Arc<Payload>>,
}

/// The events that the outbox counts as sent or deferred.
pub(crate) struct Events {
    sender: BatchSender,
    outcomes: FuturesUnordered<BoxFuture<'static, (Uid, Outcome)>>,
    pending: HashMap<Uid, PendingEvent>,
    /// True if replicas share the store, so that an event may be deferred and sent again.
    may_defer: bool,
    cluster_name: Option<String>,
    telemetry: Telemetry,
}

impl Events {
    pub(crate) fn new(outlet: Outlet, may_defer: bool, cluster_name: Option<String>, telemetry: Telemetry) -> Self {
        Events {
            sender: BatchSender::new(outlet),
            outcomes: FuturesUnordered::new(),
            pending: HashMap::new(),
            may_defer,
            cluster_name,
            telemetry,
        }
    }

    /// True if the pipeline has taken every event so far.
    pub(crate) fn is_idle(&self) -> bool {
        self.sender.is_idle()
    }

    /// How many events are not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.outcomes.len()
    }

    /// Resolves with the outcome of an event, or with `None` when the pipeline takes one; never if no event is sent. May be
    /// dropped and called again at any time.
    pub(crate) async fn next(&mut self) -> Option<(Uid, Outcome)> {
        tokio::select! {
            outcome = self.outcomes.next(), if !self.outcomes.is_empty() => outcome,
            () = self.sender.step() => None,
        }
    }

    /// An outcome that is already known.
    pub(crate) fn next_known(&mut self) -> Option<(Uid, Outcome)> {
        self.outcomes.next().now_or_never().flatten()
    }

    /// True if an event has this outcome because of the shutdown, and is sent after the next start.
    pub(crate) fn is_left(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Dropped(_) => true,
            Outcome::Deferred(_) => !self.may_defer,
            Outcome::Delivered | Outcome::Rejected(_) => false,
        }
    }

    /// Waits until the pipeline has taken every event.
    pub(crate) async fn flush(&mut self) {
        while !self.sender.is_idle() {
            self.sender.step().await;
        }
    }

    /// Takes the event that the pipeline has not taken, with its outlet.
    pub(crate) fn take_sender(&mut self) -> BatchSender {
        self.sender.take()
    }

    /// Sends later events to another outlet.
    pub(crate) fn reconnect(&mut self, outlet: Outlet) {
        self.sender = BatchSender::new(outlet);
    }

    /// Sends later events as `other` would.
    pub(crate) fn continue_as(&mut self, other: Events) {
        self.sender = other.sender;
        self.may_defer = other.may_defer;
        self.cluster_name = other.cluster_name;
        self.telemetry = other.telemetry;
    }

    /// The events that are not acknowledged.
    pub(crate) fn pending(&self) -> Vec<Uid> {
        self.pending.keys().copied().collect()
    }

    /// Closes the pipeline's inbox: the components after it send what they hold once it is closed.
    pub(crate) fn close(&mut self) {
        self.sender = BatchSender::new(Outlet::default());
    }

    /// Emits the event of a Job that the outbox counts as sent.
    pub(crate) fn emit(&mut self, evidence: Evidence, now: Timestamp) {
        let job = &evidence.job;
        self.telemetry.decided(job.outcome());
        tracing::debug!(
            namespace = &*job.namespace,
            job = &*job.name,
            uid = &*job.uid,
            outcome = job.outcome().as_str(),
            reason = job.reason(),
            "Job finished"
        );
        if evidence.gaps.contains(&Gap::EndNotSeen) {
            match job.verdict() {
                Some(_) => self.telemetry.recovered(),
                None => self.telemetry.lost(1, Loss::Gap),
            }
        }
        let record = job_event::otlp::encode(&evidence, self.cluster_name.as_deref(), now);
        let uid = Uid::new(&evidence.job.uid);
        let event = PendingEvent {
            namespace: evidence.job.namespace,
            name: evidence.job.name,
            notice: None,
            payload: Some(Arc::new(Payload::Logs(vec![record]))),
        };
        self.pending.insert(uid, event);
        self.send(uid);
    }

    /// Emits a notice that the outbox counts as sent.
    pub(crate) fn emit_notice(&mut self, notice: &Notice, now: Timestamp) {
        let (_, name) = notice.subject();
        let namespace = &notice.job().namespace;
        let event = notice.event_name();
        self.telemetry.notice(event);
        log_notice(notice, namespace, name);
        let record = job_event::otlp::encode_notice(notice, self.cluster_name.as_deref(), now);
        let event = PendingEvent {
            namespace: namespace.clone(),
            name: name.into(),
            notice: Some((event, notice.record_uid().into())),
            payload: Some(Arc::new(Payload::Logs(vec![record]))),
        };
        let key = notice.key();
        self.pending.insert(key, event);
        self.send(key);
    }

    /// Sends a pending event, perhaps again.
    pub(crate) fn send(&mut self, uid: Uid) {
        let Some(pending) = self.pending.get_mut(&uid) else {
            return;
        };
        let payload = match self.may_defer {
            true => pending.payload.clone(),
            false => pending.payload.take(),
        };
        let Some(payload) = payload else { return };
        let (ack, delivery) = Ack::new();
        self.sender.send([Batch { payload, ack }]);
        self.outcomes.push(delivery.map(move |outcome| (uid, outcome)).boxed());
    }

    /// Applies the outcome of an event to the outbox. Returns true if the event was deferred: another replica leads, or will.
    pub(crate) fn settle(&mut self, outbox: &mut Outbox, uid: Uid, outcome: Outcome) -> bool {
        let (loss, problem) = match outcome {
            Outcome::Delivered => {
                outbox.apply(&uid, AckEvent::Acknowledged);
                match self.pending.remove(&uid) {
                    Some(PendingEvent { notice: Some(_), .. }) => self.telemetry.notice_delivered(),
                    _ => self.telemetry.delivered(),
                }
                return false;
            }
            Outcome::Deferred(_) if self.may_defer => {
                outbox.apply(&uid, AckEvent::Deferred);
                return true;
            }
            Outcome::Rejected(reason) => (Loss::Refused, format!("rejected by the backend: {reason}")),
            Outcome::Dropped(reason) | Outcome::Deferred(reason) => {
                (Loss::Dropped, format!("dropped in the pipeline: {reason}"))
            }
        };
        // Reporting it again after the next start would only duplicate it in the backends that have it.
        outbox.apply(&uid, AckEvent::Rejected);
        match self.pending.remove(&uid) {
            Some(PendingEvent {
                namespace,
                name,
                notice: Some((event, uid)),
                ..
            }) => {
                self.telemetry.notice_lost(event, loss);
                tracing::error!(event, %namespace, %name, %uid, problem, "lost the event of a stall, a recovery or a missed run");
            }
            Some(PendingEvent { namespace, name, .. }) => {
                self.telemetry.lost(1, loss);
                let uid = uid.to_text();
                tracing::error!(%namespace, job = %name, %uid, problem, "lost the event of a finished Job");
            }
            None => self.telemetry.lost(1, loss),
        }
        false
    }

    /// Drops the events that another replica has reported.
    pub(crate) fn retain_pending(&mut self, outbox: &Outbox) {
        self.pending.retain(|uid, _| outbox.is_pending(uid));
    }
}

fn log_notice(notice: &Notice, namespace: &str, name: &str) {
    match notice {
        Notice::Stalled(stalled) => {
            let uid = &*stalled.job.uid;
            let since = stalled.since.to_string();
            tracing::debug!(namespace, job = name, uid, cause = stalled.cause, since, "Job stalled");
        }
        Notice::Recovered(recovered) => {
            let uid = &*recovered.job.uid;
            let causes = recovered.causes.join(",");
            let outcome = recovered.outcome.map(|outcome| outcome.as_str());
            tracing::debug!(namespace, job = name, uid, causes, outcome, "stalled Job recovered");
        }
        Notice::Missed(missed) => {
            let (first, count) = (missed.first.to_string(), missed.count);
            let reason = missed.reason.as_str();
            tracing::debug!(namespace, cronjob = name, reason, first, count, "CronJob missed runs");
        }
    }
}
