//! The requests of lists and watches: paths and parameters.

use std::sync::Arc;

use http::Request;
use http::header::ACCEPT;
use kube::client::Body;

use super::listing::ONE_PIECE;
use crate::decode::{DecodeError, WatchEvent, WireFormat};
use crate::extract::Wanted;
use crate::model::{CronJob, Event, Job, Metadata, Namespace, Pod, TypeMeta, Watched};
use crate::shard::Shard;
use crate::{Kind, Source};

/// Selects the Pods of Jobs. Every version of Kubernetes sets this label; `batch.kubernetes.io/job-name` exists since 1.27, and
/// a Pod of an older Job lacks it after an upgrade. Only the Pods of a Job with `manualSelector: true` have neither.
///
/// Source: `pkg/registry/batch/job/strategy.go`, `generateSelector`.
pub const PODS_OF_JOBS: &str = "job-name";

/// The label with the UID of a Pod's Job, of every version as well.
pub const JOB_UID_LABEL: &str = "controller-uid";

/// The field selector of warnings about nodes. A field selector has no "or", so it does not name the reasons that are read.
pub const NODE_EVENTS: &str = "involvedObject.kind=Node,type=Warning";

/// The field selector of the Event, of type `Normal`, by which the cluster autoscaler says why it adds no node for a Pod.
///
/// Source: `cluster-autoscaler/processors/status/eventing_scale_up_processor.go` in `kubernetes/autoscaler`.
pub const SCALE_UP_EVENTS: &str = "involvedObject.kind=Pod,reason=NotTriggerScaleUp";

/// The field selector of Events about CronJobs: starts, skipped runs (type `Normal`) and errors (type `Warning`).
pub const CRONJOB_EVENTS: &str = "involvedObject.kind=CronJob";

/// The objects of one list and watch: a kind in the whole cluster or in one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The source in observations.
    pub source: Source,
    /// The namespace; `None` for the whole cluster.
    pub namespace: Option<String>,
    /// Only objects whose labels match; empty for all.
    pub label_selector: String,
    /// Only objects whose fields match; empty for all.
    pub field_selector: String,
    /// The labels and annotations to decode beside those that are always read.
    pub wanted: Option<Arc<Wanted>>,
    /// The shard to which the objects belong; others are ignored.
    pub shard: Option<Shard>,
    /// The parameter `shardSelector`: the API server omits the objects of other shards if it has it. Empty for none.
    pub shard_selector: String,
}

impl Kind {
    /// The API group; empty for the core.
    pub fn group(self) -> &'static str {
        match self {
            Kind::CronJobs | Kind::Jobs => "batch",
            Kind::Namespaces
            | Kind::Pods
            | Kind::JobEvents
            | Kind::PodEvents
            | Kind::ScaleUpEvents
            | Kind::CronJobEvents
            | Kind::NodeEvents => "",
        }
    }

    /// The resource's name in the API.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Namespaces => "namespaces",
            Kind::CronJobs => "cronjobs",
            Kind::Jobs => "jobs",
            Kind::Pods => "pods",
            Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents => {
                "events"
            }
        }
    }

    /// The type of the objects.
    pub fn type_meta(self) -> TypeMeta {
        match self {
            Kind::Namespaces => Namespace::TYPE,
            Kind::CronJobs => CronJob::TYPE,
            Kind::Jobs => Job::TYPE,
            Kind::Pods => Pod::TYPE,
            Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents => {
                Event::TYPE
            }
        }
    }

    /// The name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::JobEvents => "job events",
            Kind::PodEvents => "pod events",
            Kind::ScaleUpEvents => "scale-up events",
            Kind::CronJobEvents => "cronjob events",
            Kind::NodeEvents => "node events",
            _ => self.resource(),
        }
    }
}

/// The lists and watches of these kinds. `include` names the namespaces, all if it is empty; `exclude` those without.
/// For each namespace the order is that of [`Kind::ALL`], after the namespace itself. Nodes have no namespace, so their Events are watched only in the
/// whole cluster; they are in namespace `default`, even if that is excluded.
pub fn targets(kinds: &[Kind], include: &[String], exclude: &[String], job_labels: &str) -> Vec<Target> {
    let namespaces: Vec<Option<String>> = match include {
        [] => vec![None],
        _ => include.iter().cloned().map(Some).collect(),
    };
    let mut targets = Vec::new();
    // Scope 0 is the whole cluster.
    for (scope, namespace) in (u16::from(!include.is_empty())..).zip(namespaces) {
        for kind in [Kind::Namespaces].into_iter().chain(Kind::ALL) {
            if !kinds.contains(&kind) || (kind == Kind::NodeEvents && namespace.is_some()) {
                continue;
            }
            let mut fields: Vec<String> = match kind {
                Kind::JobEvents => vec!["involvedObject.kind=Job".into()],
                Kind::PodEvents => vec!["involvedObject.kind=Pod".into(), "type=Warning".into()],
                Kind::ScaleUpEvents => vec![SCALE_UP_EVENTS.into()],
                Kind::CronJobEvents => vec![CRONJOB_EVENTS.into()],
                Kind::NodeEvents => vec![NODE_EVENTS.into()],
                _ => Vec::new(),
            };
            // A namespace has no namespace, but a name.
            let field = match kind {
                Kind::Namespaces => "metadata.name",
                _ => "metadata.namespace",
            };
            match &namespace {
                None if kind != Kind::NodeEvents => {
                    fields.extend(exclude.iter().map(|excluded| format!("{field}!={excluded}")));
                }
                Some(name) if kind == Kind::Namespaces => fields.push(format!("{field}={name}")),
                _ => {}
            }
            targets.push(Target {
                source: Source { kind, scope },
                namespace: namespace.clone(),
                label_selector: match kind {
                    Kind::Jobs => job_labels.into(),
                    Kind::Pods => PODS_OF_JOBS.into(),
                    _ => String::new(),
                },
                field_selector: fields.join(","),
                wanted: None,
                shard: None,
                shard_selector: String::new(),
            });
        }
    }
    targets
}

impl Target {
    /// Watches the objects of one shard only. Events about nodes are evidence for the Jobs of every shard.
    pub(crate) fn set_shard(&mut self, shard: Shard) {
        match self.source.kind {
            Kind::NodeEvents => return,
            // The API server would hash `metadata.namespace`, which a namespace does not have.
            Kind::Namespaces => {}
            _ => self.shard_selector = shard.selector(),
        }
        self.shard = Some(shard);
    }

    /// True if the object with this metadata belongs to the shard. A server without `shardSelector` ignores it and sends every object.
    pub(crate) fn has(&self, metadata: &Metadata) -> bool {
        let namespace = match self.source.kind {
            Kind::Namespaces => &metadata.name,
            _ => &metadata.namespace,
        };
        self.shard.is_none_or(|shard| shard.has_namespace(namespace))
    }

    /// Requests a page of the list of at most `limit` objects, or all of it with [`ONE_PIECE`]; `token` is the continue
    /// token, empty for the first page. Without `resourceVersion` the list is read from etcd, not from a stale cache.
    pub(crate) fn list(&self, token: &str, limit: u32, encoding: WireFormat) -> Result<Request<Body>, http::Error> {
        let limit = match limit {
            ONE_PIECE => String::new(),
            limit => limit.to_string(),
        };
        self.get(&[("limit", &limit), ("continue", token)], encoding)
    }

    /// Requests the changes after `version`, for `timeout` seconds.
    pub(crate) fn watch(
        &self,
        version: &str,
        timeout: u64,
        encoding: WireFormat,
    ) -> Result<Request<Body>, http::Error> {
        let parameters = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", &timeout.to_string()),
        ];
        self.get(&parameters, encoding)
    }

    /// Requests the list as a stream, and then its changes, for `timeout` seconds in all. Without `resourceVersion` it is as
    /// consistent as a list in pages, and no cluster that was restored from a backup lacks the version.
    ///
    /// Source: `ListOptions.SendInitialEvents` in `k8s.io/apimachinery/pkg/apis/meta/v1/types.go`.
    pub(crate) fn stream(&self, timeout: u64, encoding: WireFormat) -> Result<Request<Body>, http::Error> {
        let parameters = [
            ("sendInitialEvents", "true"),
            ("resourceVersionMatch", "NotOlderThan"),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", &timeout.to_string()),
        ];
        self.get(&parameters, encoding)
    }

    /// A description for logs: `jobs in namespace "team-a"`.
    pub fn describe(&self) -> String {
        let kind = self.source.kind.as_str();
        match &self.namespace {
            Some(name) if self.source.kind == Kind::Namespaces => format!("namespace {name:?}"),
            Some(namespace) => format!("{kind} in namespace {namespace:?}"),
            None => format!("{kind} of the cluster"),
        }
    }

    /// Checks the namespace of an object.
    ///
    /// # Errors
    /// The object is in another namespace.
    pub(crate) fn check<T: Watched>(&self, object: T) -> Result<T, DecodeError> {
        let found = match self.source.kind {
            Kind::Namespaces => &object.metadata().name,
            _ => &object.metadata().namespace,
        };
        match &self.namespace {
            Some(namespace) if **found != **namespace => {
                Err(DecodeError::other_namespace::<T>(object.metadata(), namespace))
            }
            _ => Ok(object),
        }
    }

    /// Checks the namespace of the object of a watch event.
    ///
    /// # Errors
    /// The object is in another namespace.
    pub(crate) fn check_event<T: Watched>(&self, event: WatchEvent<T>) -> Result<WatchEvent<T>, DecodeError> {
        Ok(match event {
            WatchEvent::Added(object) => WatchEvent::Added(self.check(object)?),
            WatchEvent::Modified(object) => WatchEvent::Modified(self.check(object)?),
            WatchEvent::Deleted(object) => WatchEvent::Deleted(self.check(object)?),
            event => event,
        })
    }

    fn get(&self, parameters: &[(&str, &str)], encoding: WireFormat) -> Result<Request<Body>, http::Error> {
        let kind = self.source.kind;
        let mut uri = match kind.group() {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        if let Some(namespace) = self.namespace.as_ref().filter(|_| kind != Kind::Namespaces) {
            uri.push_str("/namespaces/");
            uri.push_str(&encoded(namespace));
        }
        uri.push('/');
        uri.push_str(kind.resource());
        let selectors = [
            ("labelSelector", self.label_selector.as_str()),
            ("fieldSelector", self.field_selector.as_str()),
            ("shardSelector", self.shard_selector.as_str()),
        ];
        let mut separator = '?';
        for (name, value) in selectors
            .iter()
            .chain(parameters)
            .filter(|(_, value)| !value.is_empty())
        {
            uri.push(separator);
            uri.push_str(name);
            uri.push('=');
            uri.push_str(&encoded(value));
            separator = '&';
        }
        Request::get(uri).header(ACCEPT, encoding.accept()).body(Body::empty())
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(request: Result<Request<Body>, http::Error>) -> String {
        request.unwrap().uri().to_string()
    }

    #[test]
    fn excludes_namespaces_of_the_whole_cluster() {
        let all = targets(&Kind::ALL, &[], &["kube-system".into(), "dev".into()], "team in (a,b)");
        assert_eq!(all.iter().map(|t| t.source.kind).collect::<Vec<_>>(), Kind::ALL);
        assert_eq!(
            uri(all[1].list("", 500, WireFormat::Json)),
            "/apis/batch/v1/jobs?labelSelector=team%20in%20%28a%2Cb%29\
             &fieldSelector=metadata.namespace%21%3Dkube-system%2Cmetadata.namespace%21%3Ddev&limit=500"
        );
        assert!(uri(all[4].list("", ONE_PIECE, WireFormat::Json)).starts_with(
            "/api/v1/events?fieldSelector=involvedObject.kind%3DPod%2Ctype%3DWarning%2Cmetadata.namespace"
        ));
        assert!(
            uri(all[5].list("", 500, WireFormat::Json))
                .contains("involvedObject.kind%3DPod%2Creason%3DNotTriggerScaleUp%2Cmetadata.namespace")
        );
        assert!(
            uri(all[6].list("", 500, WireFormat::Json)).contains("involvedObject.kind%3DCronJob%2Cmetadata.namespace")
        );
        assert_eq!(
            uri(all[7].list("", 500, WireFormat::Json)),
            "/api/v1/events?fieldSelector=involvedObject.kind%3DNode%2Ctype%3DWarning&limit=500"
        );
    }

    #[test]
    fn one_watch_for_each_included_namespace() {
        let all = targets(&Kind::ALL, &["a".into(), "b".into()], &[], "");
        assert_eq!(all.len(), 14);
        assert_eq!(
            uri(all[9].watch("12", 240, WireFormat::Protobuf)),
            "/api/v1/namespaces/b/pods?labelSelector=job-name\
             &watch=true&resourceVersion=12&allowWatchBookmarks=true&timeoutSeconds=240"
        );
        assert_eq!(
            uri(all[9].stream(270, WireFormat::Protobuf)),
            "/api/v1/namespaces/b/pods?labelSelector=job-name&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
             &watch=true&allowWatchBookmarks=true&timeoutSeconds=270"
        );
        assert_eq!((all[0].source.scope, all[9].source.scope), (1, 2));
        assert_eq!(
            uri(all[1].list("to/ken=", 500, WireFormat::Protobuf)),
            "/apis/batch/v1/namespaces/a/jobs?limit=500&continue=to%2Fken%3D"
        );
    }
}
