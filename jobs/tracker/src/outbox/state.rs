//! The state of one Job between its verdict and the store.

/// The state of a Job's report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckState {
    /// Nothing to report: the Job is not finished, or not known.
    #[default]
    Observed,
    /// The Job is finished and its event not sent yet.
    Decided,
    /// Its event is in the pipeline.
    Sent,
    /// The pipeline returned its event, which has to be sent again.
    Deferred,
    /// Every exporter has its event, or has queued it durably; or the event is lost for good. No store knows.
    Acknowledged,
    /// In a checkpoint that is being written.
    Storing,
    /// In the stored checkpoint.
    Stored,
}

/// An event in the life of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckEvent {
    /// A watch or a list shows that the Job finished.
    Finished,
    /// The Job finished before the collector reports Jobs.
    Skipped,
    /// The event was sent to the pipeline.
    Sent,
    /// Every exporter delivered the event or queued it durably.
    Acknowledged,
    /// An exporter refused or dropped the event: it is lost, and sending it again would only duplicate it elsewhere.
    Rejected,
    /// The pipeline returned the event, because another replica leads.
    Deferred,
    /// Another replica reported the Job, or the Job is not finished after all.
    Dismissed,
    /// A checkpoint was encoded.
    Writing,
    /// The store has the checkpoint.
    Written,
    /// The checkpoint that was being written is not in the store.
    WriteLost,
}

impl AckState {
    /// The state after `event`. An event that does not fit the state is late or repeated, and changes nothing.
    #[must_use]
    pub fn on(self, event: AckEvent) -> AckState {
        match (self, event) {
            (AckState::Observed, AckEvent::Finished) => AckState::Decided,
            (AckState::Observed, AckEvent::Skipped) => AckState::Acknowledged,
            (AckState::Decided | AckState::Deferred, AckEvent::Sent) => AckState::Sent,
            (AckState::Sent, AckEvent::Acknowledged | AckEvent::Rejected) => AckState::Acknowledged,
            (AckState::Sent, AckEvent::Deferred) => AckState::Deferred,
            (AckState::Decided | AckState::Sent | AckState::Deferred, AckEvent::Dismissed) => AckState::Observed,
            (AckState::Acknowledged, AckEvent::Writing) => AckState::Storing,
            (AckState::Storing, AckEvent::Written) => AckState::Stored,
            (AckState::Storing, AckEvent::WriteLost) => AckState::Acknowledged,
            (unchanged, _) => unchanged,
        }
    }

    /// True while the pipeline has the event or has returned it.
    pub(crate) fn is_in_flight(self) -> bool {
        matches!(self, AckState::Sent | AckState::Deferred)
    }
}
