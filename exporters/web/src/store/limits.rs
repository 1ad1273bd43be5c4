/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreLimits {
    pub(crate) max_events: usize,
    pub(crate) max_bytes: usize,
}
