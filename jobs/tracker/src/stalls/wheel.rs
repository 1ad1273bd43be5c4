//! When each unfinished Job is checked next: a wheel with a slot for each second.

use std::collections::VecDeque;

use job_event::Uid;

/// The number of slots. A check lies less than as many seconds ahead.
const SLOTS: usize = 128;

/// Checks by the second in which they are due. Each costs 16 bytes and an eighth of slack. A clock that is set back or forward
/// delays a check by at most one turn.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: [Vec<Uid>; SLOTS],
    /// A bit for each slot with a check.
    filled: u128,
    /// Checks before this second are due.
    at: i64,
    /// Due checks, oldest first.
    due: VecDeque<Vec<Uid>>,
}

impl Default for Wheel {
    fn default() -> Self {
        Wheel {
            slots: std::array::from_fn(|_| Vec::new()),
            filled: 0,
            at: i64::MIN,
            due: VecDeque::new(),
        }
    }
}

impl Wheel {
    /// Adds a check at this second, or at the first or last one that has a slot.
    pub(super) fn push(&mut self, uid: Uid, second: i64) {
        let last = self.at.saturating_add(SLOTS as i64 - 1);
        let slot = slot(second.clamp(self.at, last));
        self.filled |= 1 << slot;
        add(&mut self.slots[slot], uid);
    }

    /// Advances to `now`: the checks up to this second are due.
    pub(super) fn advance(&mut self, now: i64) {
        if now < self.at {
            // The clock was set back, or it is the same second.
            if self.at - now > 1 {
                self.at = now + 1;
            }
            return;
        }
        if self.at == i64::MIN {
            self.at = now;
        }
        let turn = SLOTS as i64;
        // The slot of the current second is the last one.
        let first = self.at.max(now - turn + 1);
        for second in first..=now {
            let slot = slot(second);
            if self.filled & 1 << slot != 0 {
                self.filled &= !(1 << slot);
                self.due.push_back(std::mem::take(&mut self.slots[slot]));
            }
        }
        self.at = now + 1;
    }

    /// True if the checks of this second are due.
    pub(super) fn has_passed(&self, second: i64) -> bool {
        self.at > second
    }

    /// The next check that is due.
    pub(super) fn pop(&mut self) -> Option<Uid> {
        loop {
            let oldest = self.due.front_mut()?;
            match oldest.pop() {
                Some(uid) => return Some(uid),
                None => drop(self.due.pop_front()),
            }
        }
    }

    /// Puts back a check that could not be done.
    pub(super) fn put_back(&mut self, uid: Uid) {
        match self.due.front_mut() {
            Some(oldest) => add(oldest, uid),
            None => self.due.push_back(vec![uid]),
        }
    }

    /// True if checks that are due are left.
    pub(super) fn is_behind(&self) -> bool {
        !self.due.is_empty()
    }

    /// The second in which the next check is due.
    pub(super) fn next(&self) -> Option<i64> {
        if !self.due.is_empty() {
            return Some(i64::MIN);
        }
        if self.filled == 0 {
            return None;
        }
        let turned = self.filled.rotate_right(slot(self.at) as u32);
        Some(self.at.saturating_add(turned.trailing_zeros().into()))
    }
}

fn slot(second: i64) -> usize {
    second.rem_euclid(SLOTS as i64) as usize
}

/// Adds with little slack: there is an entry for each unfinished Job.
fn add(entries: &mut Vec<Uid>, uid: Uid) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact((entries.len() / 8).max(4));
    }
    entries.push(uid);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(n: i64) -> Uid {
        Uid::new(&n.to_string())
    }

    /// The checks that are due at `now`.
    fn due(wheel: &mut Wheel, now: i64) -> usize {
        wheel.advance(now);
        std::iter::from_fn(|| wheel.pop()).count()
    }

    #[test]
    fn checks_are_due_in_their_second() {
        let mut wheel = Wheel::default();
        assert_eq!(wheel.next(), None);
        wheel.advance(1000);
        for second in [1001, 1030, 1127] {
            wheel.push(uid(second), second);
        }
        assert_eq!(wheel.next(), Some(1001));
        assert_eq!(due(&mut wheel, 1000), 0);
        assert_eq!(due(&mut wheel, 1001), 1);
        assert_eq!(wheel.next(), Some(1030));
        assert_eq!(
            (due(&mut wheel, 1029), due(&mut wheel, 1127), wheel.next()),
            (0, 2, None)
        );
    }

    #[test]
    fn older_checks_come_first() {
        let mut wheel = Wheel::default();
        wheel.advance(1000);
        wheel.push(uid(2), 1002);
        wheel.push(uid(1), 1001);
        wheel.advance(1005);
        assert_eq!(wheel.next(), Some(i64::MIN));
        assert_eq!(wheel.pop(), Some(uid(1)));
        wheel.put_back(uid(1));
        assert_eq!(
            (wheel.pop(), wheel.pop(), wheel.pop()),
            (Some(uid(1)), Some(uid(2)), None)
        );
    }

    #[test]
    fn no_check_is_later_than_one_turn() {
        for (before, after) in [(1000, 1_000_000), (1_000_000, 1000), (1000, 999), (5, -200)] {
            let mut wheel = Wheel::default();
            wheel.advance(before);
            for second in before..before + 200 {
                wheel.push(uid(second), second);
            }
            let due: usize = (after..=after + SLOTS as i64).map(|now| due(&mut wheel, now)).sum();
            assert_eq!((due, wheel.next()), (200, None), "from {before} to {after}");
        }
    }

    #[test]
    fn checks_pushed_while_others_are_due_wait() {
        let mut wheel = Wheel::default();
        wheel.advance(1000);
        wheel.push(uid(1), 1001);
        wheel.advance(5000);
        assert_eq!(wheel.pop(), Some(uid(1)));
        wheel.push(uid(1), 5030);
        assert_eq!((due(&mut wheel, 5029), due(&mut wheel, 5030)), (0, 1));
        wheel.push(uid(1), 4000);
        assert_eq!(
            (due(&mut wheel, 5030), due(&mut wheel, 5031)),
            (0, 1),
            "not twice in one second"
        );
    }
}
