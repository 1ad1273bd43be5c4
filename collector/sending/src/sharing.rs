//! Which batches a request acknowledges, where batches are merged and requests are split.

use std::collections::VecDeque;

use collector_data::{Ack, Outcome};

/// The acknowledgements of the batches in one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Acks(Vec<Ack>);

impl Acks {
    /// One acknowledgement for all batches.
    pub(super) fn join(self) -> Ack {
        Ack::join(self.0)
    }

    pub(super) fn decide(self, outcome: &Outcome) {
        for ack in self.0 {
            ack.decide(outcome.clone());
        }
    }
}

/// The batches that own a sequence of items: each acknowledgement with its number of items, in order.
#[derive(Debug, Default)]
pub(super) struct Owners(VecDeque<(u64, Ack)>);

impl Owners {
    /// Appends a batch. A batch without items is acknowledged at once.
    pub(super) fn push(&mut self, items: u64, ack: Ack) {
        match items {
            0 => ack.delivered(),
            items => self.0.push_back((items, ack)),
        }
    }

    /// Removes the owners of the first `items`. A batch that extends beyond them owns the following items too.
    pub(super) fn split_off_front(&mut self, mut items: u64) -> Owners {
        let mut front = VecDeque::new();
        while items > 0
            && let Some((count, ack)) = self.0.front_mut()
        {
            if *count > items {
                front.push_back((items, ack.clone()));
                *count -= items;
                break;
            }
            items -= *count;
            front.extend(self.0.pop_front());
        }
        Owners(front)
    }

    pub(super) fn into_acks(self) -> Acks {
        Acks(self.0.into_iter().map(|(_, ack)| ack).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_data::Delivery;

    fn batch(owners: &mut Owners, items: u64) -> Delivery {
        let (ack, delivery) = Ack::new();
        owners.push(items, ack);
        delivery
    }

    #[tokio::test]
    async fn a_batch_depends_only_on_the_requests_with_its_items() {
        let mut owners = Owners::default();
        let batches = [3, 4, 0, 1, 2].map(|items| batch(&mut owners, items));
        // 3 | 4 | 1 | 2 as 2, 5, 2 and 1 items.
        let requests = [2, 5, 2, 1].map(|items| owners.split_off_front(items).into_acks());
        assert!(owners.0.is_empty());
        let outcomes = [
            Outcome::Rejected("first".into()),
            Outcome::Delivered,
            Outcome::Delivered,
            Outcome::Dropped("last".into()),
        ];
        for (request, outcome) in requests.into_iter().zip(&outcomes) {
            request.decide(outcome);
        }
        let expected = [
            Outcome::Rejected("first".into()),
            Outcome::Delivered,
            Outcome::Delivered,
            Outcome::Delivered,
            Outcome::Dropped("last".into()),
        ];
        for (delivery, expected) in batches.into_iter().zip(expected) {
            assert_eq!(delivery.await, expected);
        }
    }

    #[tokio::test]
    async fn a_batch_waits_for_all_its_requests() {
        let mut owners = Owners::default();
        let mut delivery = batch(&mut owners, 4);
        let first = owners.split_off_front(3).into_acks();
        let second = owners.split_off_front(3).into_acks();
        first.decide(&Outcome::Delivered);
        assert!(futures_util::poll!(&mut delivery).is_pending());
        second.decide(&Outcome::Delivered);
        assert_eq!(delivery.await, Outcome::Delivered);
    }
}
