//! The real binary against stand-ins for backends that keep those backends' rules: what it sends is taken the first time,
//! and means the same everywhere.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod oracle;
mod snippets;
mod tags;
mod together;
mod tokens;
mod world;
