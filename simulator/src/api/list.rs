//! Lists and single objects.

use super::continue_token::ContinueToken;
use super::format::Format;
use super::query::Query;
use super::status::Failure;
use crate::resource::Resource;
use crate::store::selector::Selection;
use crate::store::{Page, Store};
use jiff::Timestamp;
use serde_json::json;

/// The words of `k8s.io/apiserver/pkg/storage/etcd3/errors.go`.
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You \
    can start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Answers a list; `behind`: how many writes old an answer is that may be old.
pub(crate) fn list(
    store: &Store,
    resource: Resource,
    selection: &Selection,
    query: &Query,
    behind: u64,
    format: Format,
    now: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let page = page(store, resource, selection, query, behind)?;
    let mut metadata = json!({"resourceVersion": page.version.to_string()});
    if let Some((after, rest)) = &page.next {
        let token = ContinueToken {
            version: Some(page.version),
            after: after.to_string(),
        };
        metadata["continue"] = token.encode().into();
        if !selection.has_selectors() {
            metadata["remainingItemCount"] = (*rest).into();
        }
    }
    Ok(format.list(resource, &metadata, &page.items, now))
}

fn page(store: &Store, resource: Resource, selection: &Selection, query: &Query, behind: u64) -> Result<Page, Failure> {
    let limit = query
        .number("limit")
        .filter(|limit| *limit > 0)
        .and_then(|limit| usize::try_from(limit).ok());
    let current = store.resource_version();
    if query.flag("sendInitialEvents") {
        return Err(Failure::invalid_options(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    if let Some(token) = query.get("continue") {
        if query.get("resourceVersion").is_some_and(|version| version != "0") {
            return Err(Failure::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let token = ContinueToken::decode(token).map_err(Failure::bad_request)?;
        return store
            .page(resource, selection, token.version, Some(&token.after), limit)
            .map_err(|_| {
                let continue_token = Some(
                    ContinueToken {
                        version: None,
                        after: token.after,
                    }
                    .encode(),
                );
                Failure {
                    continue_token,
                    ..Failure::expired(CONTINUE_EXPIRED)
                }
            });
    }
    let exact = match (query.get("resourceVersionMatch"), query.get("resourceVersion")) {
        (Some(_), None) => {
            let rule = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            return Err(Failure::invalid_options("resourceVersionMatch", rule));
        }
        (Some("Exact"), Some("0")) => {
            let rule = "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"";
            return Err(Failure::invalid_options("resourceVersionMatch", rule));
        }
        (Some("Exact"), Some(_)) => true,
        // Since Kubernetes 1.19 a limited list from a version, without a match, is that exact version.
        (None, Some(version)) if version != "0" && limit.is_some() => true,
        (None | Some("NotOlderThan"), _) => false,
        (Some(other), _) => {
            return Err(Failure::invalid_options(
                "resourceVersionMatch",
                &format!("unknown match \"{other}\""),
            ));
        }
    };
    let version = match query.get("resourceVersion") {
        None => None,
        Some(text) => Some(parse_version(text)?),
    };
    if let Some(version) = version.filter(|version| *version > current) {
        return Err(Failure::too_large_version(version, current));
    }
    // The watch cache answers version 0 whole, whatever the limit.
    let limit = limit.filter(|_| version != Some(0));
    if version == Some(0) && behind > 0 {
        let old = store.page(resource, selection, Some(current.saturating_sub(behind)), None, None);
        // A cache cannot be older than its window.
        if let Ok(page) = old {
            return Ok(page);
        }
    }
    store
        .page(resource, selection, version.filter(|_| exact), None, limit)
        .map_err(|_| Failure::expired("The resourceVersion for the provided list is too old."))
}

pub(crate) fn parse_version(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        Failure::bad_request(format!(
            "Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))
    })
}
