//! The limit on requests per second.

