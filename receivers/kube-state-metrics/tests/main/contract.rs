use collector_testing::Folder;
use collector_testing::contract::{self, Subject};
use simulator::{Simulator, SimulatorOptions};

#[tokio::test]
async fn fulfils_the_contract() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let folder = Folder::new("kube-state-metrics-receiver-contract");
    let kubeconfig = folder.path().join("kubeconfig");
    simulator.write_kubeconfig(&kubeconfig).unwrap();
    let yaml = format!("kubeconfig: {}", kubeconfig.display());
    contract::receiver(&Subject::new(kube_state_metrics_receiver::factory(), yaml)).await;
}
