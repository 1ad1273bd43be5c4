//! Names and UIDs from a seed, so that runs can be repeated.

/// A generator (SplitMix64) of the random parts of Kubernetes objects.
#[derive(Clone, Debug)]
pub struct Ids {
    state: u64,
}

impl Ids {
    /// A generator that yields the same sequence for the same seed.
    pub fn new(seed: u64) -> Ids {
        Ids { state: seed }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random (version 4) UUID.
    pub(crate) fn uid(&mut self) -> String {
        let (a, b) = (self.bits(), self.bits());
        let fields = (
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0x0fff,
            (b >> 48) & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff,
        );
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            fields.0, fields.1, fields.2, fields.3, fields.4
        )
    }

    /// The five characters at the end of a generated name (`k8s.io/apimachinery/pkg/util/rand`).
    pub(crate) fn suffix(&mut self) -> String {
        let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
        let mut bits = self.bits();
        let mut next = || {
            let index = (bits % alphabet.len() as u64) as usize;
            bits /= alphabet.len() as u64;
            alphabet.get(index).copied().map_or('x', char::from)
        };
        (0..5).map(|_| next()).collect()
    }

    /// A container id in the form of containerd.
    pub(crate) fn container_id(&mut self) -> String {
        format!(
            "containerd://{:016x}{:016x}{:016x}{:016x}",
            self.bits(),
            self.bits(),
            self.bits(),
            self.bits()
        )
    }
}
