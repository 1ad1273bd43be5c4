use collector_data::Payload;
use collector_runtime::storage::memory::MemoryStorage;
use collector_testing::Host;
use collector_testing::contract::{self, Subject};
use job_metrics_connector::factory;

use crate::support::failed;

#[tokio::test(start_paused = true)]
async fn fulfils_the_contract() {
    let events = || vec![Payload::Logs(vec![failed("u1", "j")])];
    contract::connector(&Subject::new(factory(), "interval: 1s").with_payloads(events())).await;
    let stored = Subject::new(factory(), "storage: file_storage").with_payloads(events());
    let host = || Host::new("job_metrics").with_storage("file_storage", MemoryStorage::new());
    contract::connector(&stored.with_host(host)).await;
}
