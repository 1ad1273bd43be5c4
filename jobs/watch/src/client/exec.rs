//! Credential plugins: the programs that a kubeconfig names under `users[].user.exec`
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>).
//!
//! Arguments, environment and output of a plugin hold secrets, so no text made here quotes any of them.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use http::HeaderValue;
use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::client::credentials::bearer;

/// The versions of the protocol; Kubernetes 1.24 removed `v1alpha1`.
const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];
/// The longest time that a plugin may run.
const LIMIT: Duration = Duration::from_secs(30);
/// The same for a plugin that waits for a person to log in.
const INTERACTIVE_LIMIT: Duration = Duration::from_secs(300);
/// The most that a plugin may print, bytes.
const OUTPUT: u64 = 1024 * 1024;

/// A credential plugin.
pub(crate) struct Plugin {
    command: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// `KUBERNETES_EXEC_INFO`.
    info: String,
    install_hint: String,
    /// The plugin may ask a person at a terminal.
    interactive: bool,
}

/// The credential that a plugin printed.
pub(crate) struct Credential {
    /// The header `Authorization`, if the plugin printed a token.
    pub(crate) header: Option<HeaderValue>,
    /// The client certificate and its key, if the plugin printed them.
    pub(crate) identity: Option<Identity>,
    /// The end of its life, by the monotonic clock.
    pub(crate) expires: Option<Instant>,
}

/// A client certificate and its key, PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

#[derive(Deserialize)]
struct ExecCredential {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    status: Option<ExecStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecStatus {
    token: Option<String>,
    expiration_timestamp: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    /// Reads `users[].user.exec`.
    ///
    /// # Errors
    /// A setting that contradicts the protocol, or a missing program.
    pub(crate) fn read(exec: &ExecConfig) -> Result<Plugin, String> {
        let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self::read_at(exec, interactive)
    }

    fn read_at(exec: &ExecConfig, terminal: bool) -> Result<Plugin, String> {
        let command = exec.command.clone().filter(|command| !command.is_empty());
        let command = command.ok_or("exec has no command; set it to the credential plugin")?;
        let version = exec.api_version.as_deref().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            let [v1, v1beta1] = VERSIONS;
            return Err(format!(
                "credential plugin {command:?}: found apiVersion {version:?}, expected {v1:?} or {v1beta1:?}; create the \
                 kubeconfig again with the tool that made it (aws eks update-kubeconfig, gcloud container clusters \
                 get-credentials, kubelogin convert-kubeconfig)"
            ));
        }
        let interactive = match exec.interactive_mode {
            Some(ExecInteractiveMode::Never) => false,
            Some(ExecInteractiveMode::Always) if !terminal => {
                return Err(format!(
                    "credential plugin {command:?} has interactiveMode: Always, and standard input and standard error \
                     are not a terminal; use a plugin or a service account that needs no login"
                ));
            }
            _ => terminal,
        };
        let mut spec = json!({ "interactive": interactive });
        if exec.provide_cluster_info {
            spec["cluster"] = json!(exec.cluster);
        }
        let info = json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec});
        let variables = exec.env.iter().flatten();
        let plugin = Plugin {
            command,
            args: exec.args.clone().unwrap_or_default(),
            env: variables
                .filter_map(|variable| Some((variable.get("name")?.clone(), variable.get("value")?.clone())))
                .collect(),
            info: info.to_string(),
            install_hint: exec.install_hint.clone().unwrap_or_default(),
            interactive,
        };
        match exists(&plugin.command) {
            true => Ok(plugin),
            false => Err(plugin.missing()),
        }
    }

    /// The name in errors and logs: the command alone.
    pub(crate) fn name(&self) -> &str {
        &self.command
    }

    /// True if the plugin may ask a person at a terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// The longest time that it may run.
    pub(crate) fn limit(&self) -> Duration {
        if self.interactive { INTERACTIVE_LIMIT } else { LIMIT }
    }

    /// Runs it once. Dropping the future ends the plugin.
    ///
    /// # Errors
    /// The reason why there is no credential, and what to do.
    pub(crate) async fn run(&self) -> Result<Credential, String> {
        let mut command = Command::new(&self.command);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", &self.info)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        match self.interactive {
            // Like kubectl: the plugin prints where to log in.
            true => command.stdin(Stdio::inherit()).stderr(Stdio::inherit()),
            false => command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0),
        };
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => self.missing(),
            _ => self.says(&format!("cannot be started: {error}")),
        })?;
        let limit = self.limit();
        let printed = timeout(limit, self.output(child)).await;
        let printed = printed.map_err(|_| {
            self.says(&format!(
                "timed out after {} s and was killed; run it by hand, and check what it waits for (its network, its \
                 identity provider)",
                limit.as_secs()
            ))
        })??;
        read(&printed, Timestamp::now(), Instant::now()).map_err(|problem| self.says(&problem))
    }

    /// Returns its output after it exited with code 0.
    async fn output(&self, mut child: Child) -> Result<Vec<u8>, String> {
        let stdout = child.stdout.take();
        let mut group = Group::new(&child, self.interactive);
        let mut printed = Vec::new();
        if let Some(stdout) = stdout {
            let read = stdout.take(OUTPUT + 1).read_to_end(&mut printed).await;
            read.map_err(|error| self.says(&format!("cannot be read: {error}")))?;
        }
        if printed.len() as u64 > OUTPUT {
            return Err(self.says(&format!(
                "printed more than {OUTPUT} bytes and was stopped; expected an ExecCredential"
            )));
        }
        let status = child.wait().await;
        group.ended();
        let status = status.map_err(|error| self.says(&format!("cannot be waited for: {error}")))?;
        match status.success() {
            true => Ok(printed),
            // Its exit code or signal, in the standard library's words.
            false => Err(self.says(&format!(
                "failed with {status}; run it by hand to see why (its output may hold secrets and is not shown here)"
            ))),
        }
    }

    fn says(&self, problem: &str) -> String {
        format!("credential plugin {:?} {problem}", self.command)
    }

    fn missing(&self) -> String {
        let hint = self.install_hint.split_whitespace().collect::<Vec<_>>().join(" ");
        let place = match self.command.contains('/') {
            true => "does not exist",
            false => "is not in PATH",
        };
        let hint = if hint.is_empty() {
            hint
        } else {
            format!(" (the kubeconfig says: {hint})")
        };
        self.says(&format!(
            "{place}; install it where the collector runs{hint}, or set command in the kubeconfig to its path; in a Pod, \
             auth_type: serviceAccount needs none"
        ))
    }
}

/// Finds a program in `PATH`, like the system.
fn exists(command: &str) -> bool {
    if command.contains('/') {
        return Path::new(command).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
}

/// The process group of a plugin. Killed when this is dropped before the plugin has exited.
struct Group(Option<Pid>);

impl Group {
    fn new(child: &Child, interactive: bool) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        // An interactive plugin shares the collector's group: only that group may read from the terminal.
        Group(pid.and_then(Pid::from_raw).filter(|_| !interactive))
    }

    /// The plugin has exited; its number may belong to another process from now on.
    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have exited in the meantime.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads the output of a plugin. `wall` and `now` are the same instant.
fn read(printed: &[u8], wall: Timestamp, now: Instant) -> Result<Credential, String> {
    let form = || "did not print an ExecCredential in JSON or YAML".to_owned();
    let text = std::str::from_utf8(printed).map_err(|_| form())?;
    let read: ExecCredential = match serde_json::from_str(text) {
        Ok(read) => read,
        Err(_) => serde_yaml::from_str(text).map_err(|_| form())?,
    };
    if read.kind.is_some_and(|kind| kind != "ExecCredential") {
        return Err(form());
    }
    let nothing = || "printed an ExecCredential without a token and without a client certificate in status".to_owned();
    let status = read.status.ok_or_else(nothing)?;
    let header = status.token.filter(|token| !token.is_empty());
    let header = header.map(|token| bearer(&token)).transpose();
    let header = header.map_err(|problem| format!("printed a token that cannot be sent: {problem}"))?;
    let identity = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        _ => return Err("printed a client certificate without its key, or the reverse".into()),
    };
    if header.is_none() && identity.is_none() {
        return Err(nothing());
    }
    let expires = match status.expiration_timestamp {
        None => None,
        Some(at) => {
            let at: Timestamp = at
                .parse()
                .map_err(|_| "printed an invalid expirationTimestamp, expected RFC 3339")?;
            let left = Duration::try_from(at.duration_since(wall)).unwrap_or_default();
            now.checked_add(left)
        }
    };
    Ok(Credential {
        header,
        identity,
        expires,
    })
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
