//! End-to-end acknowledgement: the sender of a batch receives its outcome.
//!
//! Each [`Batch`](crate::Batch) has an [`Ack`]. A clone (fan-out, or one event that feeds several points) is another party
//! that must decide. When the last party has decided or is dropped, the [`Delivery`] resolves with the worst outcome. A
//! clone that is dropped without a decision counts as [`Outcome::Dropped`]: a silent loss is a failure.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// The outcome of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every backend has the data, or it is stored where it survives a restart.
    Delivered,
    /// A backend refused the data permanently, for this reason; a retry cannot help.
    Rejected(String),
    /// The data was lost, for this reason.
    Dropped(String),
    /// The data was not sent, for this reason: another replica is the leader. The component that made it must store it and
    /// send it again later.
    Deferred(String),
}

impl Outcome {
    fn severity(&self) -> u8 {
        match self {
            Outcome::Delivered => 0,
            Outcome::Rejected(_) => 1,
            Outcome::Dropped(_) => 2,
            Outcome::Deferred(_) => 3,
        }
    }
}

/// Who receives the outcome.
enum Recipient {
    Delivery(oneshot::Sender<Outcome>),
    Joined(Vec<Ack>),
}

struct AckState {
    worst: Mutex<(Outcome, Option<Recipient>)>,
}

impl AckState {
    fn merge(&self, outcome: Outcome) {
        let mut guard = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.severity() > guard.0.severity() {
            guard.0 = outcome;
        }
    }
}

impl Drop for AckState {
    fn drop(&mut self) {
        let (worst, recipient) = self.worst.get_mut().unwrap_or_else(PoisonError::into_inner);
        match recipient.take() {
            // On shutdown, the sender of the batch may be gone.
            Some(Recipient::Delivery(sender)) => drop(sender.send(worst.clone())),
            Some(Recipient::Joined(acks)) => acks.into_iter().for_each(|ack| ack.decide(worst.clone())),
            None => {}
        }
    }
}

/// The duty of one party to report the outcome of a batch.
#[must_use = "an acknowledgement that is dropped counts as a loss"]
pub struct Ack {
    shared: Option<Arc<AckState>>,
}

impl Ack {
    /// A new acknowledgement and the future that resolves when all its clones have decided.
    pub fn new() -> (Ack, Delivery) {
        let (sender, receiver) = oneshot::channel();
        (Ack::to(Recipient::Delivery(sender)), Delivery(receiver))
    }

    /// One acknowledgement for batches that were merged: each receives its outcome.
    pub fn join(acks: Vec<Ack>) -> Ack {
        Ack::to(Recipient::Joined(acks))
    }

    fn to(recipient: Recipient) -> Ack {
        let shared = AckState {
            worst: Mutex::new((Outcome::Delivered, Some(recipient))),
        };
        Ack {
            shared: Some(Arc::new(shared)),
        }
    }

    /// An acknowledgement without a [`Delivery`], for data that is produced again anyway, such as state gauges.
    pub fn unwatched() -> Ack {
        Ack { shared: None }
    }

    /// The data arrived.
    pub fn delivered(self) {
        self.decide(Outcome::Delivered);
    }

    /// A backend refused the data permanently.
    pub fn rejected(self, why: impl Into<String>) {
        self.decide(Outcome::Rejected(why.into()));
    }

    /// The data was lost.
    pub fn dropped(self, why: impl Into<String>) {
        self.decide(Outcome::Dropped(why.into()));
    }

    /// The data was not sent, and must be sent again later.
    pub fn deferred(self, why: impl Into<String>) {
        self.decide(Outcome::Deferred(why.into()));
    }

    /// Decides with the given outcome.
    pub fn decide(mut self, outcome: Outcome) {
        if let Some(shared) = self.shared.take() {
            shared.merge(outcome);
        }
    }
}

impl Clone for Ack {
    fn clone(&self) -> Self {
        Ack {
            shared: self.shared.clone(),
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.merge(Outcome::Dropped("a component released it without a decision".into()));
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ack")
    }
}

/// Resolves with the worst outcome once every clone of the [`Ack`] has decided.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Outcome>);

impl Future for Delivery {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|received| received.unwrap_or_else(|_| Outcome::Dropped("the acknowledgement was lost".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_worst_of_all_parties_wins() {
        let (ack, delivery) = Ack::new();
        let (second, third) = (ack.clone(), ack.clone());
        ack.delivered();
        third.rejected("400");
        second.delivered();
        assert_eq!(delivery.await, Outcome::Rejected("400".into()));
    }

    #[tokio::test]
    async fn resolves_after_the_last_party() {
        let (ack, mut delivery) = Ack::new();
        let second = ack.clone();
        ack.delivered();
        assert!(futures_util::poll!(&mut delivery).is_pending());
        second.delivered();
        assert_eq!(delivery.await, Outcome::Delivered);
    }

    #[tokio::test]
    async fn merged_batches_share_one_outcome() {
        let ((first, first_delivery), (second, second_delivery)) = (Ack::new(), Ack::new());
        let joined = Ack::join(vec![first.clone(), second]);
        let clone = joined.clone();
        joined.rejected("400");
        clone.delivered();
        assert_eq!(second_delivery.await, Outcome::Rejected("400".into()));
        first.dropped("lost");
        assert_eq!(first_delivery.await, Outcome::Dropped("lost".into()));
    }

    #[tokio::test]
    async fn a_drop_without_a_decision_is_a_loss() {
        let (ack, delivery) = Ack::new();
        drop(ack);
        assert!(matches!(delivery.await, Outcome::Dropped(_)));
    }
}
