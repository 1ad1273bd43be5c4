//! Asks a collector for its status: at a URL, or in a cluster through the API server.

use std::error::Error;
use std::time::Duration;

use collector_runtime::process_status::ProcessStatus;
use proxy::{Environment, Proxies};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use crate::cli::StatusArgs;
use crate::commands::explain;
use crate::in_cluster::{CollectorService, InCluster};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes read of an answer: thousands of watches fit.
const LONGEST: usize = 8 * 1024 * 1024;
/// The path of `health_check`.
const STATUS: &str = "/status";
/// The path of the exporter `web`.
const WEB_STATUS: &str = "/api/v1/status";

/// The source as people know it, and its status. The error says what was tried and what to do.
pub(super) async fn fetch(args: &StatusArgs) -> Result<(String, ProcessStatus), String> {
    match &args.collector {
        Some(service) => in_cluster(args, service).await,
        None => {
            let url = address(&args.url)?;
            let status = at(&url).await.map_err(|problem| no_answer(&url, &problem))?;
            Ok((args.url.clone(), status))
        }
    }
}

/// The URL of the status; a URL with a path names it itself.
fn address(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "expected a URL such as http://localhost:13133";
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let mut url = Url::parse(&with_scheme).map_err(|error| format!("--url: {error}; {EXPECTED}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("--url: unknown scheme {:?}; {EXPECTED}", url.scheme()));
    }
    if url.path() == "/" {
        url.set_path(STATUS);
    }
    Ok(url)
}

fn no_answer(url: &Url, problem: &str) -> String {
    // A user and a password may be part of the URL.
    let mut shown = url.clone();
    let _ = (shown.set_username(""), shown.set_password(None));
    let step = match problem {
        "connection refused" => {
            "Nothing listens there. Does the collector run, and does service::extensions\n  \
             name health_check? --url takes its `endpoint`."
        }
        "HTTP 403: it does not serve this host name" => {
            "Use its IP address, or add the name to health_check::allowed_hosts."
        }
        _ => "--url takes the `endpoint` of the extension health_check.",
    };
    format!(
        "GET {shown}: {problem}\n  {step}\n  A collector in a cluster: status --collector NAMESPACE/SERVICE, or\n  \
         kubectl -n NAMESPACE port-forward POD 13133"
    )
}

async fn at(url: &Url) -> Result<ProcessStatus, String> {
    let proxies = Proxies::from(Environment::of_process());
    let mut builder = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy();
    if let Some(proxy) = proxies.choose(url.into()).map_err(|error| error.to_string())? {
        let proxy = reqwest::Proxy::all(proxy.expose_url());
        builder = builder.proxy(proxy.map_err(|_| "cannot use the proxy of the environment")?);
    }
    let client = builder.build().map_err(|error| reason(&error))?;
    let mut response = client.get(url.clone()).send().await.map_err(|error| reason(&error))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            return Err("HTTP 404: no health_check of this version".into());
        }
        StatusCode::FORBIDDEN => {
            return Err("HTTP 403: it does not serve this host name".into());
        }
        other => return Err(format!("HTTP {}", other.as_u16())),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err("the answer is too long for a status".into());
        }
    }
    serde_json::from_slice(&body).map_err(|_| "the answer is not a status of a collector".into())
}

/// The innermost cause: the outer ones repeat the URL.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => "connection refused".into(),
        _ => cause.to_string(),
    }
}

async fn in_cluster(args: &StatusArgs, service: &CollectorService) -> Result<(String, ProcessStatus), String> {
    let client = explain::client(&args.cluster()).await?;
    let collector = InCluster {
        client: &client,
        service,
        default_port: "web",
    };
    let answer = match collector.json(WEB_STATUS).await {
        // The port is that of health_check.
        Err(error) if error.status() == Some(404) => collector.json(STATUS).await,
        answer => answer,
    };
    let status = answer.map_err(|error| {
        format!(
            "{error}\n  A Service reaches ready Pods only. For one that is not ready:\n    \
             kubectl -n {} port-forward POD 13133\n    kube-job-collector status",
            service.namespace
        )
    })?;
    Ok((service.named("web"), status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_is_that_of_health_check() {
        for (text, expected) in [
            ("http://localhost:13133", "http://localhost:13133/status"),
            ("http://10.0.0.1:1/", "http://10.0.0.1:1/status"),
            ("localhost:13133", "http://localhost:13133/status"),
            ("[::1]:13133", "http://[::1]:13133/status"),
            ("https://c.example/api/v1/status", "https://c.example/api/v1/status"),
        ] {
            assert_eq!(address(text).unwrap().as_str(), expected);
        }
        for wrong in ["ftp://x", "http://", "a b"] {
            assert!(
                address(wrong).unwrap_err().contains("expected a URL such as"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_failed_request_shows_no_password() {
        let text = no_answer(&Url::parse("http://u:secret@h:1/status").unwrap(), "connection refused");
        assert!(
            text.starts_with("GET http://h:1/status: connection refused\n"),
            "{text}"
        );
    }
}
