use collector_testing::contract::{self, Subject};

use crate::support::{KEY, Transport, intake};

#[tokio::test]
async fn fulfils_the_contract() {
    for transport in Transport::BOTH {
        let intake = intake().await;
        let endpoint = match transport {
            Transport::Http => format!("endpoint: {}", intake.url()),
            Transport::Grpc => format!("endpoint: {}\ntls: {{insecure: true}}", intake.grpc_address()),
        };
        let yaml = format!("{endpoint}\nheaders: {{dd-api-key: {KEY}}}");
        contract::exporter(&Subject::new(transport.factory(), yaml)).await;
    }
}
