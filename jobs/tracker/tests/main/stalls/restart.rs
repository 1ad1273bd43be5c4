//! Restarts and take-overs.

use super::cluster::Cluster;

#[test]
fn a_restart_reports_nothing_twice() {
    for restart in [10, 61, 100, 130] {
        let mut cluster = Cluster::new(60);
        cluster.stick("a");
        let mut left = restart;
        for (until, change) in [(110, true), (300, false)] {
            if (0..until).contains(&left) {
                cluster.wait(left);
                cluster.restart();
                cluster.wait(until - left);
            } else {
                cluster.wait(until);
            }
            left -= until;
            if change {
                cluster.run("a");
            }
        }
        assert_eq!(
            cluster.take(),
            ["stalled a ImagePull", "recovered a ImagePull"],
            "restart after {restart} s"
        );
    }
}
