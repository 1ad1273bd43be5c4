//! The gaps in the evidence of one Job.

use job_event::evidence::Gap;

/// A set of gaps, one byte.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gaps(u8);

impl Gaps {
    /// In the order of evidence.
    const ALL: [Gap; 7] = [
        Gap::PodsForbidden,
        Gap::EventsForbidden,
        Gap::JoinedLate,
        Gap::WatchInterrupted,
        Gap::EndNotSeen,
        Gap::PodsOmitted,
        Gap::PodsNotSelected,
    ];

    pub(crate) fn insert(&mut self, gap: Gap) {
        self.0 |= 1 << gap as u8;
    }

    pub(crate) fn contains(self, gap: Gap) -> bool {
        self.0 & 1 << gap as u8 != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Gap> {
        Gaps::ALL.into_iter().filter(move |gap| self.contains(*gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_gap_in_order() {
        let mut gaps = Gaps::default();
        for gap in Gaps::ALL.into_iter().rev() {
            gaps.insert(gap);
        }
        assert_eq!(gaps.iter().collect::<Vec<_>>(), Gaps::ALL);
        assert!(Gaps::ALL.is_sorted());
    }
}
