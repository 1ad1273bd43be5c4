use collector_runtime::storage::memory::MemoryStorage;
use collector_testing::Host;
use collector_testing::contract::{self, Subject};

use crate::support::recorded;

#[tokio::test]
async fn fulfils_the_contract() {
    let events = recorded("cron-failing").into_iter().next().unwrap();
    for storage in [false, true] {
        let yaml = match storage {
            true => "endpoint: 127.0.0.1:0\nstorage: file_storage",
            false => "endpoint: 127.0.0.1:0",
        };
        let subject = Subject::new(web_exporter::factory(), yaml)
            .with_host(|| Host::new("web").with_storage("file_storage", MemoryStorage::new()));
        contract::exporter(&subject).await;
        contract::exporter(&subject.with_payloads(vec![events.clone()])).await;
    }
}
