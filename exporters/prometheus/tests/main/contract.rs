use collector_testing::contract::{self, Subject};

#[tokio::test]
async fn fulfils_the_contract() {
    let subject = Subject::new(prometheus_exporter::factory(), "endpoint: 127.0.0.1:0");
    contract::exporter(&subject).await;
}
