//! A small generator of numbers: the same ones for the same seed, everywhere.

/// The seed if none is given.
const SEED: u64 = 20_261_123;

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 for 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// The seed of `PROPERTY_SEED`, else the usual one.
pub(crate) fn seed() -> u64 {
    match std::env::var("PROPERTY_SEED") {
        Ok(text) => text.parse().expect("PROPERTY_SEED is a number"),
        Err(_) => SEED,
    }
}
