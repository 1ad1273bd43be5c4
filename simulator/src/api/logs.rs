//! Logs of Pods, as far as the simulator was given any.

use super::error::ApiError;
use super::query::Query;
use super::server::ServerState;
use crate::locked;
use crate::resource::Resource;

/// Answers `pods/log`.
pub(crate) fn log(state: &ServerState, namespace: &str, pod: &str, query: &Query) -> Result<String, ApiError> {
    let object = state.store.get(Resource::Pods, namespace, pod);
    let object = object.ok_or_else(|| ApiError::not_found(Resource::Pods, pod))?;
    let containers: Vec<&str> = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| object["spec"][list].as_array().into_iter().flatten())
        .filter_map(|container| container["name"].as_str())
        .collect();
    let container = match (query.get("container"), containers.as_slice()) {
        (Some(name), names) if names.contains(&name) => name,
        (Some(name), _) => {
            let message = format!("container {name} is not valid for pod {pod}");
            return Err(ApiError::bad_request(message));
        }
        (None, [only]) => only,
        (None, names) => {
            let message = format!(
                "a container name must be specified for pod {pod}, choose one of: [{}]",
                names.join(" ")
            );
            return Err(ApiError::bad_request(message));
        }
    };
    let logs = locked(&state.logs);
    let text = logs.get(&format!("{namespace}/{pod}/{container}")).ok_or_else(|| {
        // The message of a server that cannot reach its nodes.
        ApiError::new(500, "", "no preferred addresses found; known addresses: []")
    })?;
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if let Some(tail) = query.number("tailLines") {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let mut answer: String = lines.concat();
    if let Some(limit) = query.number::<usize>("limitBytes") {
        let fits = |end: &usize| answer.is_char_boundary(*end);
        let end = (0..=limit.min(answer.len())).rev().find(fits);
        answer.truncate(end.unwrap_or(0));
    }
    Ok(answer)
}
