//! Credentials that are renewed while the collector runs, against a simulated API server.
#![allow(clippy::unwrap_used)]

use kube::client::Body;
use kubernetes_client::{AuthType, connect};
use simulator::{Simulator, SimulatorOptions, Token};

#[tokio::test]
async fn a_kubeconfig_is_read_anew_when_its_token_is_refused() {
    let options = SimulatorOptions {
        tokens: vec![Token::admin("old")],
        ..SimulatorOptions::default()
    };
    let api = Simulator::start(options).await.unwrap();
    let file = std::env::temp_dir().join(format!("kubeconfig-renewed-{}", api.address().port()));
    api.write_kubeconfig(&file).unwrap();
    let client = connect(AuthType::KubeConfig, Some(&file), None).await.unwrap().client;
    let list = async || {
        let request = http::Request::get("/apis/batch/v1/jobs").body(Body::empty()).unwrap();
        client.send(request).await.unwrap().status().as_u16()
    };
    assert_eq!(list().await, 200);
    assert!(api.replace_token("old", "new"));
    // Written before it is refused, so that the first refusal leads to the new token.
    api.write_kubeconfig(&file).unwrap();
    assert_eq!([list().await, list().await], [401, 200]);
    std::fs::remove_file(&file).unwrap();
    api.shutdown().await;
}
