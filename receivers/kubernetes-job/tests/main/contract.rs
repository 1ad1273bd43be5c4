use collector_testing::contract::{self, Subject};
use kubernetes_job_receiver::factory;

use crate::support::Api;
use crate::support::running::receiver;
use collector_testing::OwnMetrics;

#[tokio::test(start_paused = true)]
async fn fulfils_the_contract() {
    let client = Api::new().client();
    let build = move |_: &_| Box::new(receiver(client.clone(), "{}", &OwnMetrics::new())) as _;
    contract::receiver(&Subject::new(factory(), "{}").with_build(build)).await;
}
