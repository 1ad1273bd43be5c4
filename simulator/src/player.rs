//! Plays a timeline into a store: step by step, at once, or in (compressed) time.

use crate::resource::ChangeType;
use crate::store::{ObjectStore, StoreError};
use crate::timeline::TimelineStep;
use std::time::Duration;
use tokio::time::Instant;

/// Plays the steps of a timeline, in order.
#[derive(Debug)]
pub struct Player {
    store: ObjectStore,
    steps: std::iter::Peekable<std::vec::IntoIter<TimelineStep>>,
    played: Duration,
}

impl Player {
    /// A player at the start of a timeline, which is sorted by time.
    pub fn new(store: ObjectStore, steps: Vec<TimelineStep>) -> Player {
        Player {
            store,
            steps: steps.into_iter().peekable(),
            played: Duration::ZERO,
        }
    }

    /// Plays the next step at once; returns false at the end of the timeline.
    ///
    /// Objects keep everything but the resource version, which the store assigns. A change of an object that was deleted
    /// by another client is skipped, as a controller's write would fail.
    pub fn step(&mut self) -> bool {
        let Some(step) = self.steps.next() else { return false };
        self.played = step.at;
        if let Err(error) = apply(&self.store, step) {
            tracing::debug!(%error, "step skipped");
        }
        true
    }

    /// Plays the remaining steps at once.
    pub fn play_all(&mut self) {
        while self.step() {}
    }

    /// Plays the remaining steps at `speed` times the speed of the timeline, by tokio's clock.
    pub async fn play(&mut self, speed: f64) {
        let speed = if speed.is_finite() && speed > 0.0 {
            speed
        } else {
            f64::MAX
        };
        let (begin, from) = (Instant::now(), self.played);
        while let Some(next) = self.steps.peek() {
            let wait = next.at.saturating_sub(from).div_f64(speed);
            tokio::time::sleep_until(begin + wait).await;
            self.step();
        }
    }

    /// The number of remaining steps.
    pub fn remaining(&self) -> usize {
        self.steps.len()
    }
}

fn apply(store: &ObjectStore, step: TimelineStep) -> Result<(), StoreError> {
    match step.change {
        ChangeType::Added => store.put(step.resource, step.object)?,
        ChangeType::Modified => {
            let mut object = step.object;
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("resourceVersion");
            }
            store.update(step.resource, object)?
        }
        ChangeType::Deleted => store.delete_with(step.resource, step.object)?,
    };
    Ok(())
}
