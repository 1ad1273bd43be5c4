//! The version of the API server, and the versions that the collector is tested with.

mod shared;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use escape::one_line;
use http::Request;
use http::header::ACCEPT;
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::timeout;

use crate::model::lenient::{Lax, Object, lenient};
pub use shared::SharedVersion;

/// The minor versions of Kubernetes 1 that tests cover. `docs/compatibility.md` says how each is tested.
pub const TESTED: RangeInclusive<u32> = 27..=37;

/// The time limit of the request for the version, on which nothing depends.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest version response that is read, bytes.
const MAX_RESPONSE: usize = 16 * 1024;
/// The longest version that is shown, characters.
const MAX_SHOWN: usize = 64;

/// Features that older versions lack: the minor version of Kubernetes 1 that enabled each, and the effect of its absence.
///
/// Sources: `CronJob` in the API `batch/v1`; `PodDisruptionConditions` in `pkg/features/kube_features.go` of Kubernetes.
pub const ADDED: [(u32, &str); 2] = [
    (21, "CronJobs of batch/v1 do not exist, so they cannot be watched"),
    (
        26,
        "Pods have no condition DisruptionTarget, so a drain, a preemption and a lost node are reported as PodDeleted, Killed or \
         Unknown",
    ),
];

/// The first version that streams lists by default: feature gate `WatchList`, on in 1.32, off in 1.33, on again since 1.34.
///
/// Source: `defaultVersionedKubernetesFeatureGates` in `staging/src/k8s.io/apiserver/pkg/features/kube_features.go`.
const STREAMS_LISTS: (u32, u32) = (1, 32);
/// The version after it that does not.
const STREAMS_NO_LISTS: (u32, u32) = (1, 33);

/// The version of an API server, as it names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// The name, printable and on one line, such as `v1.33.1-gke.100`.
    text: String,
    /// The major and minor version, if they can be read.
    number: Option<(u32, u32)>,
    /// The version whose features it has, since 1.33: `--emulated-version`.
    emulated: Option<(u32, u32)>,
}

/// The reply to a request for the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VersionReply {
    /// The server's version.
    Version(ServerVersion),
    /// The server replies, and names no version: it refuses, or has no `/version`.
    NoVersion,
    /// The server is not reached.
    Unreachable,
    /// No reply in time.
    TimedOut,
}

/// The body of `/version`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Info {
    #[serde(deserialize_with = "lenient")]
    git_version: Box<str>,
    #[serde(deserialize_with = "lenient")]
    major: Box<str>,
    #[serde(deserialize_with = "lenient")]
    minor: Box<str>,
    #[serde(deserialize_with = "lenient")]
    emulation_major: Box<str>,
    #[serde(deserialize_with = "lenient")]
    emulation_minor: Box<str>,
}

impl Object for Info {}

impl ServerVersion {
    /// Asks the API server; `None` if it does not answer in time, refuses, or does not name a version.
    pub async fn read(client: &Client) -> Option<ServerVersion> {
        match ServerVersion::ask(client).await {
            VersionReply::Version(version) => Some(version),
            VersionReply::NoVersion | VersionReply::Unreachable | VersionReply::TimedOut => None,
        }
    }

    /// Asks the API server.
    pub(crate) async fn ask(client: &Client) -> VersionReply {
        timeout(TIMEOUT, ask(client)).await.unwrap_or(VersionReply::TimedOut)
    }

    /// From the body of `/version`. Distributions append to `gitVersion` (`v1.29.0-eks-a5ec690`, `v1.30.1+k3s1`) and to
    /// `minor` (`27+`).
    fn from_body(body: &[u8]) -> Option<ServerVersion> {
        let Lax(info): Lax<Info> = serde_json::from_slice(body).ok()?;
        let numbers = |major, minor| leading_number(major).zip(leading_number(minor));
        let git = info.git_version.trim_start_matches('v').split_once('.');
        // A server built from source without the build scripts is `v0.0.0-master+...`.
        let git = git
            .and_then(|(major, minor)| numbers(major, minor))
            .filter(|number| *number > (0, 0));
        let number = git.or_else(|| numbers(&info.major, &info.minor));
        let text = match (&*info.git_version, number) {
            ("", Some((major, minor))) => format!("v{major}.{minor}"),
            ("", None) => return None,
            (text, _) => one_line(text).chars().take(MAX_SHOWN).collect(),
        };
        let emulated = numbers(&info.emulation_major, &info.emulation_minor);
        Some(ServerVersion { text, number, emulated })
    }

    /// True if a server of this version streams lists by default. False for an unknown version.
    pub fn streams_lists(&self) -> bool {
        let features = self.emulated.or(self.number);
        features.is_some_and(|version| version >= STREAMS_LISTS && version != STREAMS_NO_LISTS)
    }

    /// The missing features of a version outside the tested range, as a sentence without a full stop. `None` for a tested or an
    /// unknown version.
    pub fn caveat(&self) -> Option<String> {
        let (major, minor) = self.number?;
        let (first, last) = TESTED.into_inner();
        if (major, minor) > (1, last) {
            return Some(format!(
                "it is newer than 1.{last}, the latest version that this release is tested with; a reworded message or a new \
                 reason may make a cause broader"
            ));
        }
        if (major, minor) >= (1, first) {
            return None;
        }
        let missing = ADDED.iter().filter(|(since, _)| (1, *since) > (major, minor));
        let missing: String = missing.map(|(_, effect)| format!("; {effect}")).collect();
        Some(format!(
            "it is older than 1.{first}, the oldest version that this release is tested with{missing}"
        ))
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

async fn ask(client: &Client) -> VersionReply {
    let request = Request::get("/version").header(ACCEPT, "application/json");
    let Ok(request) = request.body(Body::empty()) else {
        return VersionReply::NoVersion;
    };
    let Ok(response) = client.send(request).await else {
        return VersionReply::Unreachable;
    };
    if !response.status().is_success() {
        return VersionReply::NoVersion;
    }
    match Limited::new(response.into_body(), MAX_RESPONSE).collect().await {
        Ok(body) => ServerVersion::from_body(&body.to_bytes()).map_or(VersionReply::NoVersion, VersionReply::Version),
        Err(_) => VersionReply::NoVersion,
    }
}

/// The digits at the beginning of a text, as a number.
fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use http::Response;
    use serde_json::json;

    use super::*;

    fn version(git: &str, minor: &str) -> Option<ServerVersion> {
        let body = json!({"gitVersion": git, "major": "1", "minor": minor});
        ServerVersion::from_body(body.to_string().as_bytes())
    }

    #[test]
    fn versions_of_distributions_are_read() {
        for (git, minor, expected) in [
            ("v1.36.2", "36", (1, 36)),
            ("v1.27.3-gke.100", "27", (1, 27)),
            ("v1.29.0-eks-a5ec690", "29+", (1, 29)),
            ("v1.30.1+k3s1", "30", (1, 30)),
            ("v1.25.11+1485cc9", "25", (1, 25)),
            ("1.24", "24", (1, 24)),
            ("v1.37.0-alpha.1.123+0123abc", "37+", (1, 37)),
            ("", "27+", (1, 27)),
        ] {
            let found = version(git, minor).expect(git);
            assert_eq!(found.number, Some(expected), "{git}");
        }
        assert_eq!(version("", "27+").unwrap().to_string(), "v1.27");
        assert_eq!(
            version("v1.29.0-eks-a5ec690", "29+").unwrap().to_string(),
            "v1.29.0-eks-a5ec690"
        );
    }

    #[test]
    fn versions_say_if_lists_are_streamed() {
        let streams = |info: serde_json::Value| {
            let version = ServerVersion::from_body(info.to_string().as_bytes());
            version.is_some_and(|version| version.streams_lists())
        };
        for (git, expected) in [
            ("v1.27.3", false),
            ("v1.31.9+k3s1", false),
            ("v1.32.0", true),
            ("v1.33.4-gke.100", false),
            ("v1.34.1-eks-a5ec690", true),
            ("v1.37.2", true),
            ("v2.0.0", true),
            ("master", false),
        ] {
            assert_eq!(streams(json!({"gitVersion": git})), expected, "{git}");
        }
        let built = "v0.0.0-master+$Format:%H$";
        assert!(streams(json!({"gitVersion": built, "major": "1", "minor": "37"})));
        assert!(streams(
            json!({"gitVersion": built, "major": "", "minor": "", "emulationMajor": "1", "emulationMinor": "37"})
        ));
        assert!(!streams(json!({"gitVersion": built, "major": "", "minor": ""})));
        let emulates = json!({"gitVersion": "v1.34.0", "emulationMajor": "1", "emulationMinor": "33"});
        assert!(!streams(emulates), "it has the features of 1.33");
    }

    #[test]
    fn an_unknown_version_has_no_caveat() {
        let odd = version("master\n2026-01-01 INFO forged", "").unwrap();
        assert_eq!((odd.number, odd.caveat()), (None, None));
        assert!(!odd.to_string().contains('\n'), "{odd}");
        assert!(version(&"v".repeat(1000), "").unwrap().to_string().len() <= MAX_SHOWN);
        assert_eq!(version("", ""), None);
        for body in ["", "[]", "null", "{}", "{\"gitVersion\": {}}", "<html>"] {
            assert_eq!(ServerVersion::from_body(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn older_and_newer_versions_have_a_caveat() {
        let caveat = |git: &str| version(git, "").unwrap().caveat();
        for inside in ["v1.27.0", "v1.36.2", "v1.37.9"] {
            assert_eq!(caveat(inside), None, "{inside}");
        }
        let newer = caveat("v1.38.0-rc.0").unwrap();
        assert!(
            newer.starts_with("it is newer than 1.37, the latest version"),
            "{newer}"
        );
        assert!(caveat("v2.0.0").is_some());
        let older = caveat("v1.26.15").unwrap();
        assert_eq!(
            older,
            "it is older than 1.27, the oldest version that this release is tested with"
        );
        let older = caveat("v1.25.3").unwrap();
        assert!(
            older.contains("; Pods have no condition DisruptionTarget, so"),
            "{older}"
        );
        assert!(!older.contains("CronJobs"), "{older}");
        assert!(
            caveat("v1.20.15")
                .unwrap()
                .contains("; CronJobs of batch/v1 do not exist")
        );
    }

    #[tokio::test]
    async fn a_refused_version_is_no_version() {
        let service = tower::service_fn(|_: Request<Body>| async {
            let response = Response::builder()
                .status(403)
                .body(Body::from(b"{\"gitVersion\": \"v1.2.3\"}".to_vec()));
            response.map_err(std::io::Error::other)
        });
        assert_eq!(ServerVersion::read(&Client::new(service, "default")).await, None);
    }
}
