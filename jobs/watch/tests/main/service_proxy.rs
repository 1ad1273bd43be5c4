//! Requests to a Service through the API server's proxy.

use std::net::SocketAddr;
use std::time::Duration;

use job_watch::client::{AuthType, connect};
use job_watch::service_proxy::{ProxyError, ServicePort, get};
use kube::Client;
use simulator::{ForwardProxy, ForwardProxyOptions, Simulator, SimulatorOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);
const SERVICE: ServicePort<'_> = ServicePort {
    namespace: "obs",
    name: "kjc",
    port: "web",
    tls: false,
};

/// An API server under a name that anyone can own, and a client for it.
async fn api() -> (Simulator, ForwardProxy, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let options = ForwardProxyOptions {
        targets: [("api.example:80".into(), simulator.address())].into(),
        ..ForwardProxyOptions::default()
    };
    let proxy = ForwardProxy::start(options).await.unwrap();
    let kubeconfig = std::env::temp_dir().join(format!("kubeconfig-service-{}", proxy.address().port()));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'http://api.example', proxy-url: '{}'}}}}]\nusers: [{{name: u, user: {{}}}}]\n",
        proxy.url("http")
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let connected = connect(AuthType::KubeConfig, Some(&kubeconfig), None).await;
    std::fs::remove_file(&kubeconfig).unwrap();
    (simulator, proxy, connected.unwrap().client)
}

/// A Service that answers each request with the text that `answer` makes of its head in lower case.
async fn service(answer: fn(&str) -> &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = answer(&String::from_utf8(head).unwrap().to_lowercase());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn a_service_that_refuses_the_host_gets_its_own_name() {
    let (simulator, _proxy, client) = api().await;
    let endpoint = service(|head| match head.contains("\r\nhost: kjc.obs.svc\r\n") {
        true => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        false => "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nhost",
    });
    simulator.set_service("obs", "kjc", "web", Some(endpoint.await));
    assert_eq!(get(&client, SERVICE, "/api/v1/status", PATIENCE).await, Ok("{}".into()));

    let endpoint = service(|_| "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nhost").await;
    simulator.set_service("obs", "kjc", "web", Some(endpoint));
    let refused = ProxyError::Service {
        code: 403,
        body: "host".into(),
    };
    assert_eq!(get(&client, SERVICE, "/", PATIENCE).await, Err(refused));
}

#[tokio::test]
async fn refusals_of_the_api_server_are_not_those_of_the_service() {
    let (simulator, _proxy, client) = api().await;
    let ask = async || get(&client, SERVICE, "/", PATIENCE).await.unwrap_err();
    assert_eq!(ask().await.to_string(), "404 services \"kjc\" not found");
    simulator.set_service("obs", "kjc", "web", None);
    assert_eq!(
        ask().await.to_string(),
        "503 no endpoints available for service \"kjc\""
    );
    simulator.forbid_service_proxy(true);
    let denied = ask().await;
    assert!(denied.is_denied(), "{denied}");
    // A 403 of the API server is not repeated.
    assert_eq!(simulator.requests().len(), 3);

    simulator.forbid_service_proxy(false);
    let endpoint = service(|_| "HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\n{\"error\": \"no\"}").await;
    simulator.set_service("obs", "kjc", "web", Some(endpoint));
    assert_eq!(ask().await.to_string(), "it answers 400: {\"error\": \"no\"}");
    simulator.shutdown().await;
    assert!(matches!(ask().await, ProxyError::Failed(_)));
}

#[tokio::test]
async fn a_service_that_does_not_answer_times_out() {
    let (simulator, _proxy, client) = api().await;
    // It accepts connections and reads nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    simulator.set_service("obs", "kjc", "web", listener.local_addr().ok());
    let patience = Duration::from_millis(1);
    let answer = get(&client, SERVICE, "/", patience).await;
    assert_eq!(answer, Err(ProxyError::Timeout(patience)));
}
