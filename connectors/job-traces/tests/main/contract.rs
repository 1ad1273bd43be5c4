use collector_data::Payload;
use collector_testing::contract::{self, Subject};
use job_traces_connector::factory;

use crate::traces::{event, evidence};

#[tokio::test(start_paused = true)]
async fn fulfils_the_contract() {
    let event = event(&evidence("FailureTarget"), &[]);
    let subject = Subject::new(factory(), "{}").with_payloads(vec![Payload::Logs(vec![event])]);
    contract::connector(&subject).await;
}
