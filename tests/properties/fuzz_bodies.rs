//! The bodies of the fuzz targets, on recordings that were damaged at random.

#[path = "../../fuzz/bodies/decoder.rs"]
mod decoder;
#[path = "../../fuzz/bodies/judge.rs"]
mod judge;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::random::{Random, seed};
use crate::recording::{Recording, all, in_time};

/// How many damaged texts of each recording, for each body.
const TEXTS: u64 = 4;

/// The recording as text, at most `lines` lines from a random one on.
fn text(recording: &Recording, lines: usize, random: &mut Random) -> Vec<u8> {
    let from = random.below(recording.json.len());
    let lines = recording.json[from..].iter().take(lines);
    lines.flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

/// Replaces, removes, repeats or swaps a few bytes or stretches.
fn damage(text: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(12) {
        if text.is_empty() {
            return;
        }
        let at = random.below(text.len());
        let end = (at + random.below(64)).min(text.len());
        match random.below(6) {
            0 => text[at] = random.next() as u8,
            1 => text[at] = b"\"{}[],:0-9\n\\eE"[random.below(14)],
            2 => drop(text.drain(at..end)),
            3 => {
                let again = text[at..end].to_vec();
                let to = random.below(text.len());
                text.splice(to..to, again);
            }
            4 => text.truncate(at),
            _ => text[at..end].reverse(),
        }
    }
}

fn try_body(body: fn(&[u8]), data: &[u8], seed: u64, name: &str) {
    if catch_unwind(AssertUnwindSafe(|| body(data))).is_err() {
        panic!(
            "{name}: PROPERTY_SEED={seed}, input {:?}",
            String::from_utf8_lossy(data)
        );
    }
}

#[test]
fn the_decoder_takes_any_bytes() {
    let seed = seed();
    for recording in all() {
        for number in 0..TEXTS {
            let mut random = Random::new(seed ^ number);
            let mut data = text(&recording, 4, &mut random);
            damage(&mut data, &mut random);
            data.insert(0, random.next() as u8);
            try_body(decoder::run, &data, seed, &recording.name);
        }
    }
}

#[test]
fn the_judge_takes_any_recording() {
    let seed = seed();
    for recording in all() {
        for number in 0..TEXTS {
            let mut random = Random::new(seed ^ number);
            let mut data = text(&recording, 40, &mut random);
            damage(&mut data, &mut random);
            try_body(judge::run, &data, seed, &recording.name);
        }
    }
}

#[test]
fn the_judge_takes_any_evidence() {
    let seed = seed();
    for recording in all() {
        for evidence in in_time(&recording.lines).values() {
            judge::check(evidence);
            let json = serde_json::to_vec(evidence).unwrap();
            for number in 0..TEXTS {
                let mut data = json.clone();
                damage(&mut data, &mut Random::new(seed ^ number));
                try_body(judge::run, &data, seed, &recording.name);
            }
        }
    }
}
