use collector_testing::Folder;
use collector_testing::contract::{self, Subject};
use simulator::{Simulator, SimulatorOptions};

#[tokio::test]
async fn fulfils_the_contract() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let folder = Folder::new("k8s-leader-elector-extension-contract");
    let kubeconfig = folder.path().join("kubeconfig");
    simulator.write_kubeconfig(&kubeconfig).unwrap();
    let yaml = format!("kubeconfig: {}\nlease_namespace: default", kubeconfig.display());
    contract::extension(&Subject::new(k8s_leader_elector_extension::factory(), yaml)).await;
}
