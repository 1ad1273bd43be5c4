//! The detector `env`: resource attributes from variables of the environment.

use std::ffi::OsString;

use job_event::attributes::{DEPLOYMENT_ENVIRONMENT, SERVICE_NAME, SERVICE_VERSION};
use job_event::otlp;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use percent_encoding::percent_decode_str;

use crate::tags;

const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// The former key of [`DEPLOYMENT_ENVIRONMENT`].
const FORMER_ENVIRONMENT: &str = "deployment.environment";
/// The prefix of resource attributes that become a tag at Datadog, on metrics, logs and traces alike.
const CUSTOM_TAG: &str = "datadog.container.tag.";
/// Datadog's variables, their tags and attributes.
const UNIFIED: [(&str, &str, &str); 3] = [
    ("DD_ENV", "env", DEPLOYMENT_ENVIRONMENT),
    ("DD_SERVICE", "service", SERVICE_NAME),
    ("DD_VERSION", "version", SERVICE_VERSION),
];

/// Attributes by key.
type Pairs = Vec<(String, String)>;

/// The attributes that the environment sets.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Detected {
    /// From OpenTelemetry's variables.
    attributes: Pairs,
    /// From Datadog's variables: defaults, which never replace an attribute.
    defaults: Pairs,
    /// From `DD_TAGS`: also defaults.
    tags: Pairs,
}

/// A variable that is not used as a whole, or in part, and the reason. Values are not shown.
#[derive(Debug, PartialEq)]
pub(crate) struct UnusableVariable {
    pub variable: &'static str,
    pub reason: String,
}

impl Detected {
    /// Reads the variables. An empty variable counts as unset.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> (Detected, Vec<UnusableVariable>) {
        let mut problems = Vec::new();
        let mut text = |name: &'static str| match variable(name)?.into_string() {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(_) => {
                let reason = "is not UTF-8".to_owned();
                problems.push(UnusableVariable { variable: name, reason });
                None
            }
        };
        let attributes = text(RESOURCE_ATTRIBUTES);
        let service = text("OTEL_SERVICE_NAME");
        let unified = UNIFIED.map(|(variable, ..)| text(variable));
        let dd_tags = text("DD_TAGS").unwrap_or_default();

        let mut detected = Detected::default();
        match attributes.as_deref().map(resource_attributes) {
            Some(Ok(attributes)) => detected.attributes = attributes,
            Some(Err(reason)) => problems.push(UnusableVariable {
                variable: RESOURCE_ATTRIBUTES,
                reason: format!("{reason}; the variable is ignored"),
            }),
            None => {}
        }
        if let Some(service) = service {
            detected.attributes.retain(|(key, _)| key != SERVICE_NAME);
            detected.attributes.push((SERVICE_NAME.into(), service));
        }
        for ((_, _, attribute), value) in UNIFIED.iter().zip(unified) {
            detected
                .defaults
                .extend(value.map(|value| ((*attribute).into(), value)));
        }
        let (tags, wrong) = tags::parse(&dd_tags);
        for (key, value) in tags {
            match UNIFIED.iter().find(|(_, tag, _)| *tag == key) {
                Some((_, _, attribute)) => detected.defaults.push(((*attribute).into(), value.into())),
                None => detected.tags.push((key.into(), value.into())),
            }
        }
        problems.extend(wrong.into_iter().map(|number| UnusableVariable {
            variable: "DD_TAGS",
            reason: format!("entry {number} is ignored, expected `key:value`"),
        }));
        (detected, problems)
    }

    /// True if no variable sets anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.defaults.is_empty() && self.tags.is_empty()
    }

    /// Adds the attributes to those of a resource. With `replace`, those of OpenTelemetry's variables replace existing ones.
    pub(crate) fn add_to(&self, resource: &mut Vec<KeyValue>, replace: bool) {
        for (key, value) in &self.attributes {
            if replace || is_missing(resource, key) {
                otlp::set(resource, otlp::text(key, value));
            }
        }
        for (key, value) in &self.defaults {
            if is_missing(resource, key) {
                otlp::set(resource, otlp::text(key, value));
            }
        }
        for (key, value) in &self.tags {
            if is_missing(resource, key) {
                resource.push(otlp::text(key, value));
                otlp::set(resource, otlp::text(&format!("{CUSTOM_TAG}{key}"), value));
            }
        }
    }
}

/// True if a resource lacks an attribute. The owner's name as service is a default, which counts as missing.
fn is_missing(resource: &[KeyValue], key: &str) -> bool {
    let is_set = |key| otlp::find(resource, key).is_some();
    match key {
        SERVICE_NAME => !is_set(key) || otlp::has_default_service(resource),
        DEPLOYMENT_ENVIRONMENT => !is_set(key) && !is_set(FORMER_ENVIRONMENT),
        _ => !is_set(key),
    }
}

/// The pairs of `key=value,key=value`, percent-decoded; with an error the whole text counts as absent.
///
/// Source: OpenTelemetry specification, "Resource SDK", "Specifying resource information via an environment variable".
fn resource_attributes(text: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    let entries = text.split(',').zip(1..);
    for (entry, number) in entries.filter(|(entry, _)| !entry.trim().is_empty()) {
        let Some((key, value)) = entry.split_once('=') else {
            return Err(format!("entry {number} has no `=`, expected `key=value`"));
        };
        let key = decoded(key.trim()).map_err(|why| format!("the key of entry {number} {why}"))?;
        if key.is_empty() {
            return Err(format!("entry {number} has no key, expected `key=value`"));
        }
        let value = decoded(value.trim()).map_err(|why| format!("the value of entry {number} {why}"))?;
        pairs.retain(|(earlier, _)| *earlier != key);
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err("has a `%` without two hexadecimal digits; write `%25` for `%`");
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| "is not UTF-8 after percent-decoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Detected, Vec<UnusableVariable>) {
        Detected::read(&|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).into())
        })
    }

    /// `key=value` of a resource after the variables were added.
    fn added(variables: &[(&str, &str)], resource: &[(&str, &str)], replace: bool) -> Vec<String> {
        let mut resource = resource.iter().map(|(key, value)| otlp::text(key, value)).collect();
        let (detected, problems) = read(variables);
        assert_eq!(problems, []);
        detected.add_to(&mut resource, replace);
        let once = resource.clone();
        detected.add_to(&mut resource, replace);
        assert_eq!(once, resource, "adding twice changes nothing");
        let text = |kv: &KeyValue| otlp::find_text(&resource, &kv.key).unwrap_or_default().to_owned();
        resource.iter().map(|kv| format!("{}={}", kv.key, text(kv))).collect()
    }

    #[test]
    fn resource_attributes_are_pairs_with_percent_encoding() {
        for (text, expected) in [
            ("a=1,b=2", vec![("a", "1"), ("b", "2")]),
            (" a = 1 , b=, ", vec![("a", "1"), ("b", "")]),
            ("a=x%2Cy%20z+,b=c=d", vec![("a", "x,y z+"), ("b", "c=d")]),
            ("caf%C3%A9=%C3%A4,n=ü", vec![("café", "ä"), ("n", "ü")]),
            ("a=1,a=2", vec![("a", "2")]),
        ] {
            let pairs: Pairs = expected
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect();
            assert_eq!(resource_attributes(text), Ok(pairs), "{text}");
        }
    }

    #[test]
    fn invalid_resource_attributes_are_ignored_as_a_whole() {
        for (text, expected) in [
            ("a=1,secret", "entry 2 has no `=`, expected `key=value`"),
            ("=1", "entry 1 has no key"),
            ("a=50%", "the value of entry 1 has a `%` without two hexadecimal digits"),
            ("a%zz=1", "the key of entry 1 has a `%`"),
            ("a=%ff", "the value of entry 1 is not UTF-8"),
        ] {
            let (detected, problems) = read(&[("OTEL_RESOURCE_ATTRIBUTES", text)]);
            assert!(detected.is_empty(), "{text}");
            let [problem] = &problems[..] else {
                panic!("{problems:?}")
            };
            assert_eq!(problem.variable, "OTEL_RESOURCE_ATTRIBUTES");
            assert!(problem.reason.starts_with(expected), "{}", problem.reason);
            assert!(!problem.reason.contains("secret"), "a value is not shown");
        }
    }

    #[test]
    fn the_service_name_takes_precedence_over_the_resource_attributes() {
        let variables = [
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,b=1"),
            ("OTEL_SERVICE_NAME", "c"),
        ];
        assert_eq!(added(&variables, &[], true), ["b=1", "service.name=c"]);
        let empty = [
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"),
            ("OTEL_SERVICE_NAME", " "),
        ];
        assert_eq!(added(&empty, &[], true), ["service.name=a"]);
    }

    #[test]
    fn override_decides_about_opentelemetrys_variables_only() {
        let variables = [
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=dev,x=1"),
            ("DD_VERSION", "2"),
        ];
        let resource = [("deployment.environment.name", "prod"), ("service.version", "1")];
        assert_eq!(
            added(&variables, &resource, true),
            ["deployment.environment.name=dev", "service.version=1", "x=1"]
        );
        assert_eq!(
            added(&variables, &resource, false),
            ["deployment.environment.name=prod", "service.version=1", "x=1"]
        );
    }

    #[test]
    fn datadogs_variables_fill_what_labels_leave_open() {
        let variables = [("DD_ENV", "prod"), ("DD_SERVICE", "shop"), ("DD_VERSION", "7")];
        let unlabelled = [("k8s.job.name", "report"), ("service.name", "report")];
        let expected = [
            "k8s.job.name=report",
            "service.name=shop",
            "deployment.environment.name=prod",
            "service.version=7",
        ];
        assert_eq!(added(&variables, &unlabelled, true), expected);
        let labelled = [
            ("k8s.job.name", "report"),
            ("deployment.environment", "dev"),
            ("service.name", "billing"),
        ];
        let expected = [
            "k8s.job.name=report",
            "deployment.environment=dev",
            "service.name=billing",
            "service.version=7",
        ];
        assert_eq!(added(&variables, &labelled, true), expected);
    }

    #[test]
    fn tags_become_attributes_and_tags_of_datadog() {
        let variables = [("DD_TAGS", "team:data env:prod"), ("OTEL_SERVICE_NAME", "s")];
        let expected = [
            "service.name=s",
            "deployment.environment.name=prod",
            "team=data",
            "datadog.container.tag.team=data",
        ];
        assert_eq!(added(&variables, &[], true), expected);
        assert_eq!(added(&[("DD_TAGS", "team:data")], &[("team", "ml")], true), ["team=ml"]);
        let both = [("DD_TAGS", "env:dev"), ("DD_ENV", "prod")];
        assert_eq!(added(&both, &[], true), ["deployment.environment.name=prod"]);
    }

    #[test]
    fn unusable_tags_and_texts_are_reported() {
        let (detected, problems) = read(&[("DD_TAGS", "team:data,hunter2")]);
        assert_eq!(detected.tags.len(), 1);
        let reason = "entry 2 is ignored, expected `key:value`".to_owned();
        assert_eq!(
            problems,
            [UnusableVariable {
                variable: "DD_TAGS",
                reason
            }]
        );
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            let (_, problems) = Detected::read(&|name| (name == "DD_ENV").then(|| OsString::from_vec(vec![0xff])));
            let reason = "is not UTF-8".to_owned();
            assert_eq!(
                problems,
                [UnusableVariable {
                    variable: "DD_ENV",
                    reason
                }]
            );
        }
    }
}
