//! Open connections, and which one to close when there are too many. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};

/// The number of a connection; later ones have higher numbers.
pub type Id = u64;

/// The open connections.
///
/// When there are more than fit, the peer with the most connections loses its oldest: one that hangs, or opens one after
/// the other, only ever crowds itself out.
#[derive(Debug)]
pub struct Slots<C> {
    most: usize,
    most_bytes: usize,
    next: Id,
    bytes: usize,
    open: BTreeMap<Id, Open<C>>,
}

#[derive(Debug)]
struct Open<C> {
    peer: IpAddr,
    /// Bytes of the answer.
    bytes: usize,
    /// Closes it.
    close: C,
}

impl<C> Slots<C> {
    /// Room for `most` connections, whose answers may have `most_bytes` together.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Slots {
            most,
            most_bytes,
            next: 0,
            bytes: 0,
            open: BTreeMap::new(),
        }
    }

    /// Adds a connection; gives back its number and how to close the one that has to go for it.
    pub fn open(&mut self, peer: IpAddr, close: C) -> (Id, Option<C>) {
        let id = self.next;
        self.next += 1;
        let peer = network(peer);
        self.open.insert(id, Open { peer, bytes: 0, close });
        let evicted = match self.open.len() > self.most {
            true => self.evict(|other, _| other != id),
            false => None,
        };
        (id, evicted)
    }

    /// Notes the size of a connection's answer; gives back how to close those that have to go for it.
    pub fn answer(&mut self, id: Id, bytes: usize) -> Vec<C> {
        if let Some(open) = self.open.get_mut(&id) {
            self.bytes = self.bytes - open.bytes + bytes;
            open.bytes = bytes;
        }
        let mut evicted = Vec::new();
        while self.bytes > self.most_bytes {
            match self.evict(|other, bytes| other != id && bytes > 0) {
                Some(close) => evicted.push(close),
                // The answer itself is larger than that, and may be.
                None => break,
            }
        }
        evicted
    }

    /// Forgets a connection that has ended.
    pub fn closed(&mut self, id: Id) -> Option<C> {
        let open = self.open.remove(&id)?;
        self.bytes -= open.bytes;
        Some(open.close)
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True if none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes the oldest connection of the peer with the most, of those that may go, by number and size of the answer.
    pub fn evict(&mut self, may_go: impl Fn(Id, usize) -> bool) -> Option<C> {
        let mut count: HashMap<IpAddr, usize> = HashMap::new();
        for open in self.open.values() {
            *count.entry(open.peer).or_default() += 1;
        }
        let candidates = self.open.iter().filter(|(id, open)| may_go(**id, open.bytes));
        let id = candidates
            .max_by_key(|(id, open)| (count.get(&open.peer).copied(), std::cmp::Reverse(**id)))
            .map(|(id, _)| *id)?;
        self.closed(id)
    }
}

/// The identity of a peer: an IPv4 address, or an IPv6 network of 64 bits, of which one machine may have all addresses.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            // Not `::`, which is what `::1` would come to.
            if network == 0 {
                IpAddr::V6(address)
            } else {
                IpAddr::V6(Ipv6Addr::from(network))
            }
        }
        canonical => canonical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBELET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_busiest_peer_loses_its_oldest_connection() {
        let mut slots = Slots::new(3, 100);
        assert_eq!(slots.open(KUBELET, "probe").1, None);
        assert_eq!(slots.open(ip("10.0.0.9"), "first").1, None);
        assert_eq!(slots.open(ip("10.0.0.9"), "second").1, None);
        assert_eq!(slots.open(ip("10.0.0.9"), "third").1, Some("first"));
        assert_eq!(slots.open(ip("10.0.0.9"), "fourth").1, Some("second"));
        assert_eq!(slots.open(ip("10.0.0.8"), "other").1, Some("third"));
        assert_eq!(slots.len(), 3, "and the probe is among them");
        assert_eq!(slots.closed(0), Some("probe"));
    }

    #[test]
    fn among_equals_the_oldest_goes() {
        let mut slots = Slots::new(2, 100);
        slots.open(ip("10.0.0.1"), 1);
        slots.open(ip("10.0.0.2"), 2);
        assert_eq!(slots.open(ip("10.0.0.3"), 3).1, Some(1));
    }

    #[test]
    fn unread_answers_are_bounded_in_bytes() {
        let mut slots = Slots::new(10, 100);
        let (reading, _) = slots.open(KUBELET, "reading");
        let (large, _) = slots.open(ip("10.0.0.9"), "large");
        slots.open(ip("10.0.0.9"), "asking");
        assert!(slots.answer(reading, 60).is_empty());
        assert_eq!(slots.answer(large, 150), ["reading"], "one answer may be larger");
        assert!(slots.closed(large).is_some());
        let (next, _) = slots.open(KUBELET, "next");
        assert!(slots.answer(next, 100).is_empty());
        assert_eq!(slots.len(), 2, "connections without an answer stay");
    }

    #[test]
    fn one_ipv6_network_is_one_peer() {
        assert_eq!(network(ip("2001:db8::1")), network(ip("2001:db8::ffff:2")));
        assert_ne!(network(ip("2001:db8::1")), network(ip("2001:db8:0:1::1")));
        assert_eq!(network(ip("::ffff:10.0.0.1")), KUBELET);
        assert_ne!(network(ip("::1")), network(ip("::2")));
    }
}
