//! Random numbers for jitter; not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A xorshift generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator seeded by the operating system.
    pub fn unique() -> Self {
        Random(RandomState::new().build_hasher().finish() | 1)
    }

    /// A generator that repeats the same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number in 0..1.
    pub fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
