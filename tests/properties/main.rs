//! Properties of every recording, for any order, loss and mutation: seeded, so that a failure can be
//! replayed with `PROPERTY_SEED`. `PROPERTY_RECORDINGS` names a folder with more recordings (`docs/recordings.md`).

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod again;
mod broader;
mod fuzz_bodies;
mod late;
mod late_look;
mod mutated;
mod old_servers;
#[path = "../support/older.rs"]
mod older;
mod order;
mod random;
mod recording;
#[path = "../support/stories/mod.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod stories;
mod without_events;
