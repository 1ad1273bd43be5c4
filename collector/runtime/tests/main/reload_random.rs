//! Random graphs, one after the other, while batches flow: each batch reaches a backend, none of them twice, and each is
//! acknowledged once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use collector_data::{Delivery, Outcome};

use crate::reload::Reloadable;
use crate::replaceable::{arrived, numbered, source};
use crate::running::on_one_thread;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Some of these, one at least.
    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        let mut chosen: Vec<&str> = of.iter().copied().filter(|_| self.chance(60)).collect();
        if chosen.is_empty() {
            chosen.push(of[self.below(of.len() as u64) as usize]);
        }
        chosen
    }

    fn steps(&mut self) -> &'static str {
        ["", "step/a", "step/a, step/b", "step/b"][self.below(4) as usize]
    }
}

/// A configuration in which a batch has at most one way to each exporter.
fn random_graph(random: &mut Random) -> String {
    let backend = |random: &mut Random| ["up", "up", "slow", "down"][random.below(4) as usize];
    let mut exporters = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        exporters.push(format!(
            "sink/{name}={{version: {}, backend: {}}}",
            random.below(2),
            backend(random)
        ));
    }
    let version = |random: &mut Random| random.below(3) / 2;
    let mut text = format!(
        "receivers: source/x={{version: {}}}, source/y\nprocessors: step/a={{version: {}}}, step/b\n\
         connectors: tally={{version: {}}}\nexporters: {}\n",
        version(random),
        version(random),
        version(random),
        exporters.join(", ")
    );
    let receivers = ["source/x", "source/x, source/y", "source/y"][random.below(3) as usize];
    let mut ends = random.some(&["sink/a", "sink/b"]);
    if random.chance(60) {
        ends.push("tally");
        let steps = random.steps();
        text.push_str(&format!(
            "logs/second: tally | {steps} | {}\n",
            random.some(&["sink/c", "sink/d"]).join(", ")
        ));
    }
    let name = ["logs", "logs/first"][random.below(2) as usize];
    text.push_str(&format!(
        "{name}: {receivers} | {} | {}\n",
        random.steps(),
        ends.join(", ")
    ));
    if random.chance(40) {
        text.push_str(&format!("logs/third: source/x | {} | sink/e\n", random.steps()));
    }
    text
}

/// Every component, and every backend works.
const LAST: &str = "receivers: source/x, source/y\nprocessors: step/a, step/b\nconnectors: tally\n\
    exporters: sink/a={version: 9}, sink/b={version: 9}, sink/c={version: 9}, sink/d={version: 9}, sink/e={version: 9}\n\
    logs: source/x, source/y || sink/a, sink/b, tally\nlogs/second: tally || sink/c, sink/d\nlogs/third: source/x || sink/e";

async fn each_batch_arrives_once(seed: u64) {
    let mut random = Random(seed);
    let sources = ["source/x", "source/y"].map(source);
    let first = random_graph(&mut random);
    let run = Reloadable::of(&first).await;
    let mut deliveries: BTreeMap<u64, Delivery> = BTreeMap::new();
    let mut last = first;
    for _ in 0..8 {
        for _ in 0..random.below(150) {
            let number = deliveries.len() as u64;
            let (batch, delivery) = numbered(number);
            deliveries.insert(number, delivery);
            sources[random.below(2) as usize].send(batch).unwrap();
            for _ in 0..random.below(4) {
                tokio::task::yield_now().await;
            }
        }
        let next = random_graph(&mut random);
        match random.chance(20) {
            true => {
                let bad = next
                    .replace("exporters: ", "exporters: badstart, ")
                    .replace("| sink/", "| badstart, sink/");
                if bad.contains("| badstart") {
                    let error = run.reload(&bad).await.unwrap_err().to_string();
                    assert!(
                        error.contains("the port is taken"),
                        "seed {seed}: {error}\n{last}\n{bad}"
                    );
                }
            }
            false => {
                let done = run.begin(&next);
                for _ in 0..random.below(20) {
                    let number = deliveries.len() as u64;
                    let (batch, delivery) = numbered(number);
                    deliveries.insert(number, delivery);
                    sources[random.below(2) as usize].send(batch).unwrap();
                    tokio::task::yield_now().await;
                }
                done.await
                    .unwrap()
                    .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{last}\n{next}"));
                last = next;
            }
        }
        if random.chance(30) {
            tokio::time::sleep(Duration::from_millis(random.below(20_000))).await;
        }
    }
    run.reload(LAST)
        .await
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let count = deliveries.len() as u64;
    for (number, delivery) in deliveries {
        let outcome = tokio::time::timeout(Duration::from_secs(10_000), delivery).await;
        assert_eq!(
            outcome.ok(),
            Some(Outcome::Delivered),
            "seed {seed}: batch {number}\n{last}"
        );
    }
    let mut seen = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for arrival in arrived() {
        numbers.insert(arrival.number);
        let key = (arrival.number, arrival.sink.clone());
        assert!(seen.insert(key), "seed {seed}: {arrival:?} arrived twice");
    }
    assert_eq!(numbers, (0..count).collect(), "seed {seed}: batches are missing");
    run.stop().await;
}

#[test]
fn each_batch_arrives_once_whatever_is_reloaded() {
    for seed in 0..150 {
        on_one_thread(each_batch_arrives_once(seed));
    }
}
