//! Logs of Pods, where somebody gave the simulator some.

use super::query::Query;
use super::server::Shared;
use super::status::Failure;
use crate::resource::Resource;

/// Answers `pods/log`.
pub(crate) fn log(shared: &Shared, namespace: &str, pod: &str, query: &Query) -> Result<String, Failure> {
    let object = shared
        .store
        .get(Resource::Pods, namespace, pod)
        .ok_or_else(|| Failure::not_found(Resource::Pods, pod))?;
    let spec = &object["spec"];
    let containers: Vec<&str> = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| spec[list].as_array().into_iter().flatten())
        .filter_map(|container| container["name"].as_str())
        .collect();
    let container = match (query.get("container"), containers.as_slice()) {
        (Some(name), names) if names.contains(&name) => name,
        (Some(name), _) => {
            return Err(Failure::bad_request(format!(
                "container {name} is not valid for pod {pod}"
            )));
        }
        (None, [only]) => only,
        (None, names) => {
            let message = format!(
                "a container name must be specified for pod {pod}, choose one of: [{}]",
                names.join(" ")
            );
            return Err(Failure::bad_request(message));
        }
    };
    let logs = Shared::locked(&shared.logs);
    let Some(text) = logs.get(&format!("{namespace}/{pod}/{container}")) else {
        // The words of a server whose nodes it cannot reach.
        return Err(Failure::new(
            500,
            "",
            "no preferred addresses found; known addresses: []",
        ));
    };
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if let Some(tail) = query.number("tailLines").and_then(|tail| usize::try_from(tail).ok()) {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let mut answer: String = lines.concat();
    if let Some(limit) = query.number("limitBytes").and_then(|limit| usize::try_from(limit).ok()) {
        let mut cut = limit.min(answer.len());
        while !answer.is_char_boundary(cut) {
            cut -= 1;
        }
        answer.truncate(cut);
    }
    Ok(answer)
}
