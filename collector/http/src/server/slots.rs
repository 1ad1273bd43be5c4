//! Open connections, and the choice of one to close when there are too many. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};

/// The number of a connection; later connections have higher numbers.
pub(crate) type Id = u64;

/// The open connections.
///
/// At the limit, the peer with the most connections loses its oldest, so a peer that hangs or keeps opening connections
/// only displaces its own.
#[derive(Debug)]
pub(crate) struct Slots<C> {
    most: usize,
    most_bytes: usize,
    next: Id,
    bytes: usize,
    open: BTreeMap<Id, Open<C>>,
}

#[derive(Debug)]
struct Open<C> {
    peer: IpAddr,
    /// The size of the response.
    bytes: usize,
    /// Closes the connection.
    close: C,
}

impl<C> Slots<C> {
    /// Room for `most` connections with `most_bytes` of responses in all.
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        Slots {
            most,
            most_bytes,
            next: 0,
            bytes: 0,
            open: BTreeMap::new(),
        }
    }

    /// Adds a connection; returns its number and the connection to close for it.
    pub(crate) fn open(&mut self, peer: IpAddr, close: C) -> (Id, Option<C>) {
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

    /// Records the size of a response; returns the connections to close for it.
    pub(crate) fn respond(&mut self, id: Id, bytes: usize) -> Vec<C> {
        if let Some(open) = self.open.get_mut(&id) {
            self.bytes = self.bytes - open.bytes + bytes;
            open.bytes = bytes;
        }
        let mut evicted = Vec::new();
        while self.bytes > self.most_bytes {
            match self.evict(|other, bytes| other != id && bytes > 0) {
                Some(close) => evicted.push(close),
                // A single response may be larger than the limit.
                None => break,
            }
        }
        evicted
    }

    /// Removes a connection that ended.
    pub(crate) fn closed(&mut self, id: Id) -> Option<C> {
        let open = self.open.remove(&id)?;
        self.bytes -= open.bytes;
        Some(open.close)
    }

    /// Removes the oldest connection of the busiest peer, among those that `may_go` allows by number and response size.
    pub(crate) fn evict(&mut self, may_go: impl Fn(Id, usize) -> bool) -> Option<C> {
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

/// The identity of a peer: an IPv4 address, or an IPv6 network of 64 bits, because one machine may have all its addresses.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            // `::1` stays itself instead of `::`.
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
        assert_eq!(slots.open.len(), 3, "including the probe");
        assert_eq!(slots.closed(0), Some("probe"));
    }

    #[test]
    fn the_oldest_connection_of_equal_peers_is_closed() {
        let mut slots = Slots::new(2, 100);
        slots.open(ip("10.0.0.1"), 1);
        slots.open(ip("10.0.0.2"), 2);
        assert_eq!(slots.open(ip("10.0.0.3"), 3).1, Some(1));
    }

    #[test]
    fn unread_responses_are_bounded_in_bytes() {
        let mut slots = Slots::new(10, 100);
        let (reading, _) = slots.open(KUBELET, "reading");
        let (large, _) = slots.open(ip("10.0.0.9"), "large");
        slots.open(ip("10.0.0.9"), "asking");
        assert!(slots.respond(reading, 60).is_empty());
        assert_eq!(
            slots.respond(large, 150),
            ["reading"],
            "a single response may exceed the limit"
        );
        assert!(slots.closed(large).is_some());
        let (next, _) = slots.open(KUBELET, "next");
        assert!(slots.respond(next, 100).is_empty());
        assert_eq!(slots.open.len(), 2, "connections without a response stay");
    }

    #[test]
    fn one_ipv6_network_is_one_peer() {
        assert_eq!(network(ip("2001:db8::1")), network(ip("2001:db8::ffff:2")));
        assert_ne!(network(ip("2001:db8::1")), network(ip("2001:db8:0:1::1")));
        assert_eq!(network(ip("::ffff:10.0.0.1")), KUBELET);
        assert_ne!(network(ip("::1")), network(ip("::2")));
    }
}
