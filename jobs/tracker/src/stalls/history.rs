//! How long the completed runs of each owner took: for each of the last [`RUNS`] one byte on a logarithmic scale, after the
//! time of the last one, whole minutes since 1970, four bytes, big-endian.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use job_judge::UsualRuns;

use super::RunningLongSettings;

/// How many runs of each owner are known.
const RUNS: usize = 30;
/// The time of the last run.
const STAMP: usize = 4;
/// The most owners that are not CronJobs. The least recently used ones are dropped.
const OWNERS: usize = 4096;
/// The factor between two steps of the scale: a duration is known to within 3 %. 255 steps reach a month.
const STEP: f64 = 1.06;
/// Marks an owner that is not a CronJob.
const NO_CRONJOB: u64 = 1 << 63;

/// The owners with completed runs.
pub(super) type Histories = HashMap<u64, Box<[u8]>>;

/// The key of a CronJob.
pub(super) fn cronjob_key(uid: Uid) -> u64 {
    uid.short() & !NO_CRONJOB
}

/// The key of another owner, or of a CronJob that is not known.
pub(super) fn other_key(owner: Uid) -> u64 {
    owner.short() | NO_CRONJOB
}

/// True for the key of a CronJob.
pub(super) fn is_cronjob(owner: u64) -> bool {
    owner & NO_CRONJOB == 0
}

/// Adds a completed run.
pub(super) fn add(histories: &mut Histories, owner: u64, took: SignedDuration, now: Timestamp) {
    let known = histories.get(&owner).map(|known| runs(known)).unwrap_or_default();
    let kept = &known[known.len().saturating_sub(RUNS - 1)..];
    let minutes = u32::try_from(now.as_second() / 60).unwrap_or(0);
    let bytes = minutes
        .to_be_bytes()
        .into_iter()
        .chain(kept.iter().copied())
        .chain([encode(took)]);
    histories.insert(owner, bytes.collect());
    bound(histories);
}

/// Drops the least recently used owners without a CronJob, an eighth at a time.
fn bound(histories: &mut Histories) {
    if histories.len() <= OWNERS {
        return;
    }
    let mut stamps: Vec<u32> = histories
        .iter()
        .filter(|(owner, _)| !is_cronjob(**owner))
        .map(|(_, bytes)| stamp(bytes))
        .collect();
    if stamps.len() > OWNERS {
        let (_, oldest, _) = stamps.select_nth_unstable(OWNERS / 8);
        let oldest = *oldest;
        let mut excess = OWNERS / 8;
        histories.retain(|owner, bytes| {
            let is_dropped = excess > 0 && !is_cronjob(*owner) && stamp(bytes) <= oldest;
            excess -= usize::from(is_dropped);
            !is_dropped
        });
    }
}

fn stamp(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |stamp| u32::from_be_bytes(*stamp))
}

fn runs(bytes: &[u8]) -> &[u8] {
    bytes.get(STAMP..).unwrap_or_default()
}

/// The usual runs of an owner; `None` if too few are known.
pub(super) fn usual(histories: &Histories, owner: u64, settings: &RunningLongSettings) -> Option<UsualRuns> {
    let mut runs: Vec<u8> = runs(histories.get(&owner)?).to_vec();
    if runs.is_empty() || runs.len() < settings.min_runs {
        return None;
    }
    runs.sort_unstable();
    // The nearest rank.
    let rank = (runs.len() * 95).div_ceil(100);
    let p95 = decode(runs[rank - 1]);
    let limit = SignedDuration::try_from_secs_f64(p95.as_secs_f64() * settings.factor).unwrap_or(SignedDuration::MAX);
    Some(UsualRuns {
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        shortest: decode(runs[0]),
        longest: decode(runs[runs.len() - 1]),
        limit: limit.max(p95.saturating_add(settings.floor)),
    })
}

fn encode(took: SignedDuration) -> u8 {
    (took.as_secs_f64().max(1.0).ln() / STEP.ln()).round().min(255.0) as u8
}

fn decode(byte: u8) -> SignedDuration {
    SignedDuration::from_secs(STEP.powi(byte.into()).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * MINUTE).unwrap()
    }

    #[test]
    fn durations_are_known_to_a_few_percent() {
        for seconds in [1, 2, 7, 60, 399, 3600, 86_400, 2_000_000] {
            let known = decode(encode(SignedDuration::from_secs(seconds))).as_secs();
            let error = (known - seconds).abs() as f64 / seconds as f64;
            assert!(error < 0.035 || known == seconds, "{seconds} s are stored as {known} s");
        }
        assert_eq!(decode(encode(SignedDuration::from_millis(-5))).as_secs(), 1);
        assert!(decode(encode(SignedDuration::MAX)) > SignedDuration::from_hours(24 * 30));
    }

    #[test]
    fn the_limit_needs_enough_runs() {
        let settings = RunningLongSettings::default();
        let mut histories = Histories::new();
        for run in 1..=10 {
            assert_eq!(usual(&histories, 7, &settings), None, "{run}");
            add(&mut histories, 7, SignedDuration::from_mins(run), at(run));
        }
        let known = usual(&histories, 7, &settings).unwrap();
        assert_eq!((known.runs, known.shortest.as_secs()), (10, 59));
        assert!(
            (known.limit.as_secs() - 30 * MINUTE).abs() < MINUTE,
            "three times the longest: {known:?}"
        );
        for run in 1..=40 {
            add(&mut histories, 7, SignedDuration::from_mins(2), at(20 + run));
        }
        let known = usual(&histories, 7, &settings).unwrap();
        assert_eq!(known.runs, 30);
        assert!(
            (known.limit.as_secs() - 12 * MINUTE).abs() < MINUTE / 3,
            "ten minutes more: {known:?}"
        );
        assert_eq!(usual(&histories, 8, &settings), None, "another owner");
    }

    #[test]
    fn the_oldest_owners_without_a_cronjob_are_dropped() {
        let mut histories = Histories::new();
        for owner in 0..2 * OWNERS as u64 {
            add(
                &mut histories,
                cronjob_key(Uid::new(&owner.to_string())),
                SignedDuration::from_secs(1),
                at(0),
            );
            add(
                &mut histories,
                owner | NO_CRONJOB,
                SignedDuration::from_secs(1),
                at(owner as i64),
            );
        }
        assert_eq!(histories.keys().filter(|owner| is_cronjob(**owner)).count(), 2 * OWNERS);
        let bounded = histories.keys().filter(|owner| !is_cronjob(**owner)).count();
        assert!((OWNERS - OWNERS / 8..=OWNERS).contains(&bounded), "{bounded}");
        assert!(histories.contains_key(&((2 * OWNERS as u64 - 1) | NO_CRONJOB)));
        assert!(!histories.contains_key(&NO_CRONJOB));
    }
}
