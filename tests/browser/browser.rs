//! A browser session for each test.

use std::panic::AssertUnwindSafe;
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use ::http::Method;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::oracle;

/// Upper bound on anything that is waited for: only a broken page takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The programs, if both are installed. Without them the test is skipped, or fails with `REQUIRE_ORACLES=1`.
fn programs() -> Option<(String, Option<String>)> {
    let driver = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".into());
    let chromium = std::env::var("CHROMIUM").ok();
    let runs = |program: &str| {
        let output = Program::new(program).arg("--version").stdin(Stdio::null()).output();
        output.is_ok_and(|output| output.status.success())
    };
    if runs(&driver) && chromium.as_deref().is_none_or(runs) {
        return Some((driver, chromium));
    }
    oracle::skip("chromedriver", "Debian: apt-get install chromium chromium-driver");
    None
}

/// Runs a test in a session of its own, which is closed also if the test fails.
pub(crate) async fn with_browser(test: impl AsyncFnOnce(&Browser)) {
    let Some((driver, chromium)) = programs() else { return };
    let mut process = Command::new(driver)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver starts");
    let url = format!("http://127.0.0.1:{}", port(&mut process).await);
    let mut options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--force-color-profile=srgb", "--no-proxy-server"]});
    if let Some(chromium) = chromium {
        options["binary"] = chromium.into();
    }
    let capabilities = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
    let Value::Object(capabilities) = capabilities else {
        unreachable!("an object")
    };
    let connector = hyper_util::client::legacy::connect::HttpConnector::new();
    let mut builder = ClientBuilder::new(connector);
    builder.capabilities(capabilities);
    let client = timeout(PATIENCE, builder.connect(&url))
        .await
        .expect("in time")
        .expect("a session");
    let browser = Browser { client };
    let ended = AssertUnwindSafe(test(&browser)).catch_unwind().await;
    browser.client.close().await.expect("the session closes");
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// The port that chromedriver has chosen, from its output.
async fn port(process: &mut Child) -> u16 {
    let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let port = async {
        while let Some(line) = lines.next_line().await.expect("output") {
            // The first line has the requested port, 0.
            let port = line.rsplit_once("on port ").map(|(_, port)| port.trim_end_matches('.'));
            if let Some(port) = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0) {
                return port;
            }
        }
        panic!("chromedriver ended without a port")
    };
    let port = timeout(PATIENCE, port).await.expect("chromedriver names its port");
    // Nothing may be kept from writing its output.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    port
}

/// A session.
pub(crate) struct Browser {
    pub(crate) client: Client,
}

/// A command of chromedriver beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _url: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Sends a command of the Chrome DevTools Protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let path = "goog/cdp/execute";
        let body = json!({"cmd": command, "params": parameters});
        self.client.issue_cmd(Extension { path, body }).await.expect(command)
    }

    /// Emulates a screen of this width, and a colour scheme.
    pub(crate) async fn emulate(&self, width: u32, scheme: &str) {
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Opens a page.
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect(url);
    }

    /// The value of an expression in the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.client.execute(&script, Vec::new()).await.expect(expression)
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let waiting = async {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            loop {
                pace.tick().await;
                // Fails while a page is loading.
                let value = self
                    .client
                    .execute(&format!("return ({expression});"), Vec::new())
                    .await;
                if value.is_ok_and(|value| value == true) {
                    return;
                }
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let page = self.client.source().await.unwrap_or_default();
            panic!("never true: {expression}\n{page}");
        }
    }

    /// The log of the browser since the last call: errors of the page, blocked content, failed requests.
    pub(crate) async fn log(&self) -> Vec<String> {
        let path = "se/log";
        let body = json!({"type": "browser"});
        let entries = self.client.issue_cmd(Extension { path, body }).await.expect("the log");
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| format!("{} {}", entry["level"], entry["message"]))
            .collect()
    }

    /// Writes a picture of the page below the target directory, for people: the whole page, or its first `rows` of pixels.
    /// Returns the size of the file in bytes.
    pub(crate) async fn picture(&self, name: &str, rows: Option<u32>) -> usize {
        use base64::Engine;
        let size = self
            .value("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
            .await;
        let height = rows.map_or(size[1].clone(), Value::from);
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1});
        let parameters = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.devtools("Page.captureScreenshot", parameters).await;
        let data = picture["data"].as_str().expect("a picture");
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pages/{name}.png"));
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, &bytes).expect("a file");
        bytes.len()
    }
}
