use collector_testing::contract::{self, Subject};

use crate::support::{Cluster, cronjob, failed, finished};

#[tokio::test]
async fn fulfils_the_contract() {
    let cluster = Cluster::start("contract").await;
    let subject = Subject::new(k8s_events_exporter::factory(), cluster.settings(""));
    contract::exporter(&subject).await;
    assert_eq!(
        cluster.attempts(),
        0,
        "a record of another kind is acknowledged without a request"
    );
    let subject = Subject::new(k8s_events_exporter::factory(), cluster.settings(""));
    let payloads = vec![failed("a"), cronjob(), finished("b", "Succeeded")];
    contract::exporter(&subject.with_payloads(payloads)).await;
    assert_eq!(cluster.events().len(), 6);
}
