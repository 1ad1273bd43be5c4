//! Every port that is used is named: in the container, in the Service, in the NetworkPolicy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{container, list, of_kind, overlays, pipelines, rendered, word};

/// Ports on which a pipeline listens on the Pod's address, and ports of outgoing connections.
#[derive(Default)]
struct Used {
    listens: BTreeSet<u64>,
    connects: BTreeSet<u64>,
}

impl Used {
    fn read(&mut self, key: &str, value: &Value) {
        match value {
            Value::Object(entries) => {
                if word(&entries.get("host").cloned().unwrap_or_default()).contains("POD_IP") {
                    self.listens.extend(entries.get("port").and_then(Value::as_u64));
                }
                entries.iter().for_each(|(key, value)| self.read(key, value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(key, item)),
            Value::String(text) => self.read_address(key, text),
            _ => {}
        }
    }

    fn read_address(&mut self, key: &str, text: &str) {
        let port = |address: &str| address.rsplit_once(':').and_then(|(_, port)| port.parse::<u64>().ok());
        if text.starts_with("${env:POD_IP") {
            self.listens.extend(port(text));
        } else if let Some((scheme, rest)) = text.split_once("://") {
            // A default in `${env:NAME:-default}` is no port: it ends with a brace.
            let host = rest.split('/').next().unwrap_or_default();
            let default = if scheme == "https" { 443 } else { 80 };
            self.connects.insert(port(host).unwrap_or(default));
        } else if key == "endpoint" {
            self.connects.extend(port(text));
        }
    }
}

fn names(container: &Value) -> BTreeMap<String, u64> {
    let ports = list(&container["ports"]).iter();
    ports
        .map(|port| {
            (
                word(&port["name"]).to_owned(),
                port["containerPort"].as_u64().expect("a number"),
            )
        })
        .collect()
}

/// The ports of the rules of a direction, by name or number, over all policies.
fn allowed(documents: &[Value], direction: &str) -> BTreeSet<String> {
    let policies = of_kind(documents, "NetworkPolicy");
    let rules = policies.iter().flat_map(|policy| list(&policy["spec"][direction]));
    let ports = rules.flat_map(|rule| list(&rule["ports"]));
    ports
        .map(|port| port["port"].to_string().trim_matches('"').to_owned())
        .collect()
}

/// Checks container, probes, Services and the ingress of the policies; returns the ports that the pipeline connects to.
fn check(case: &str, documents: &[Value], pipelines: &[Value]) -> BTreeSet<u64> {
    let container = container(documents);
    let ports = names(container);
    let mut used = Used::default();
    pipelines.iter().for_each(|pipeline| used.read("", pipeline));
    for port in &used.listens {
        assert!(
            ports.values().any(|known| known == port),
            "{case}: {port} is not in {ports:?}"
        );
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let port = word(&container[probe]["httpGet"]["port"]);
        assert!(ports.contains_key(port), "{case}: {probe} uses {port}");
    }
    let mut served = Vec::new();
    for service in of_kind(documents, "Service") {
        for port in list(&service["spec"]["ports"]) {
            let target = word(&port["targetPort"]);
            assert_eq!(ports.get(target), port["port"].as_u64().as_ref(), "{case}: {target}");
            served.push(target.to_owned());
        }
    }
    assert_eq!(
        ports.contains_key("web"),
        served.contains(&"web".to_owned()),
        "{case}: Service of web"
    );
    for monitor in documents
        .iter()
        .filter(|document| word(&document["kind"]).ends_with("Monitor"))
    {
        let key = if monitor["kind"] == "PodMonitor" {
            "podMetricsEndpoints"
        } else {
            "endpoints"
        };
        for endpoint in list(&monitor["spec"][key]) {
            let port = word(&endpoint["port"]);
            assert!(
                ports.contains_key(port) && (key != "endpoints" || served.contains(&port.to_owned())),
                "{case}: {port}"
            );
        }
    }
    if !of_kind(documents, "NetworkPolicy").is_empty() && case != "restricted" {
        // The kubelet's probes need no rule.
        let reached: BTreeSet<String> = ports.keys().filter(|name| *name != "health").cloned().collect();
        assert_eq!(allowed(documents, "ingress"), reached, "{case}: ingress");
    }
    used.connects
}

#[test]
fn a_policy_of_the_chart_names_every_port() {
    let mut limited = 0;
    for (case, documents) in rendered::cases() {
        let mut connects = check(&case, &documents, &[pipelines::pipeline(&documents)]);
        let policies = of_kind(&documents, "NetworkPolicy");
        if !policies
            .iter()
            .any(|policy| list(&policy["spec"]["policyTypes"]).contains(&"Egress".into()))
        {
            continue;
        }
        limited += 1;
        connects.extend([53, 443, 6443]);
        if let Some((_, proxy)) = super::environment(container(&documents))
            .iter()
            .find(|(name, _)| name == "HTTPS_PROXY")
        {
            connects.extend(proxy.rsplit_once(':').and_then(|(_, port)| port.parse::<u64>().ok()));
        }
        let mut expected: BTreeSet<String> = connects.iter().map(u64::to_string).collect();
        if case == "restricted" {
            // `extra` and an ingress without sources.
            expected.insert("9999".into());
            assert!(allowed(&documents, "ingress").is_empty());
        }
        assert_eq!(allowed(&documents, "egress"), expected, "{case}: egress");
    }
    assert!(limited >= 2, "cases with limited egress");
}

#[test]
fn a_policy_of_an_overlay_names_every_port() {
    for (case, documents) in overlays::builds() {
        let maps = of_kind(&documents, "ConfigMap");
        let files = maps
            .iter()
            .flat_map(|map| map["data"].as_object().expect("data").values());
        let pipelines: Vec<Value> = files.flat_map(|file| super::documents(word(file))).collect();
        check(&case, &documents, &pipelines);
    }
}
