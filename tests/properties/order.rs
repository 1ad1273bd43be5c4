//! The streams of Jobs, CronJobs, Pods and Events are unordered among each other: any order between them, each one's own
//! being kept, gives the same verdict.

use job_tracker::replay::Recorded;
use job_watch::Kind;

use crate::random::{Random, seed};
use crate::recording::{Feed, Recording, Verdicts, all, in_time, verdicts, worse};

/// The resources, as recordings have them.
const KINDS: [Kind; 4] = [Kind::Jobs, Kind::CronJobs, Kind::Pods, Kind::JobEvents];
/// How many random orders of each recording.
const ORDERS: usize = 12;
/// How much later than others a line may arrive, milliseconds: less than the tracker waits after a verdict.
const LATEST: i64 = 900;

/// The lines of each resource.
fn queues(recording: &Recording) -> [Vec<&Recorded>; 4] {
    KINDS.map(|kind| recording.lines.iter().filter(|line| line.source.kind == kind).collect())
}

/// Feeds lines in this order, and decides after the last.
fn decided_at_the_end<'a>(lines: impl IntoIterator<Item = &'a Recorded>) -> Verdicts {
    let mut feed = Feed::new();
    for line in lines {
        feed.line(line);
    }
    verdicts(feed.finish())
}

fn compare(recording: &Recording, what: &str, known: &Verdicts, found: &Verdicts, wrong: &mut Vec<String>) {
    let name = &recording.name;
    if !known.keys().eq(found.keys()) {
        wrong.push(format!("{name}, {what}: other Jobs"));
    }
    for (uid, known) in known {
        if let Some(problem) = found.get(uid).and_then(|found| worse(known, found, &[])) {
            wrong.push(format!("{name}, {what}: {problem}"));
        }
    }
}

#[test]
fn one_resource_after_the_other() {
    let mut wrong = Vec::new();
    for recording in all() {
        let known = &recording.verdicts;
        let queues = queues(&recording);
        for order in permutations() {
            let lines = order.iter().flat_map(|at| &queues[*at]).copied();
            let what = format!("{:?}", order.map(|at| KINDS[at]));
            compare(&recording, &what, known, &decided_at_the_end(lines), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn any_order_between_resources() {
    let seed = seed();
    let mut wrong = Vec::new();
    for recording in all() {
        let known = &recording.verdicts;
        for number in 0..ORDERS {
            let mut random = Random::new(seed ^ number as u64);
            let lines = shuffle(&queues(&recording), &mut random);
            let what = format!("order {number}");
            compare(&recording, &what, known, &decided_at_the_end(lines), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "PROPERTY_SEED={seed}\n{}", wrong.join("\n"));
}

#[test]
fn any_delay_within_the_settle_time() {
    let seed = seed();
    let mut wrong = Vec::new();
    for recording in all() {
        let known = &recording.verdicts;
        for number in 0..ORDERS {
            let mut random = Random::new(seed ^ number as u64);
            let lines = delay(&queues(&recording), &mut random);
            let what = format!("delays {number}");
            compare(&recording, &what, known, &verdicts(in_time(&lines)), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "PROPERTY_SEED={seed}\n{}", wrong.join("\n"));
}

fn permutations() -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for number in 0..256 {
        let order = [number & 3, number >> 2 & 3, number >> 4 & 3, number >> 6];
        if (0..4).all(|at| order.contains(&at)) {
            all.push(order);
        }
    }
    assert_eq!(all.len(), 24);
    all
}

/// Merges the queues: takes runs of lines of random length, the longest run being random as well.
fn shuffle<'a>(queues: &[Vec<&'a Recorded>; 4], random: &mut Random) -> Vec<&'a Recorded> {
    let longest = 1 + random.below(20);
    let mut rest: Vec<&[&Recorded]> = queues
        .iter()
        .map(Vec::as_slice)
        .filter(|queue| !queue.is_empty())
        .collect();
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let at = random.below(rest.len());
        let run = (1 + random.below(longest)).min(rest[at].len());
        let (head, tail) = rest[at].split_at(run);
        lines.extend_from_slice(head);
        rest[at] = tail;
        rest.retain(|queue| !queue.is_empty());
    }
    lines
}

/// Delays each line, and never past one of its resource that follows.
fn delay(queues: &[Vec<&Recorded>; 4], random: &mut Random) -> Vec<Recorded> {
    let mut lines = Vec::new();
    for queue in queues {
        // Some streams are late as a whole, others only now and then.
        let (least, most) = (
            random.below(LATEST as usize) as i64,
            random.below(LATEST as usize) as i64,
        );
        let mut last = i64::MIN;
        for line in queue {
            let delay = least + random.below((most - least).max(1) as usize) as i64;
            last = last.max(line.t + delay);
            lines.push(Recorded {
                t: last,
                ..(*line).clone()
            });
        }
    }
    lines.sort_by_key(|line| line.t);
    lines
}
