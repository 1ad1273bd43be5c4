//! The real binary against stand-ins for backends that keep those backends' rules: what it sends is taken the first time,
//! and means the same everywhere.

mod oracle;
mod setup;
mod snippets;
mod tags;
mod together;
mod tokens;
