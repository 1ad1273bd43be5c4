//! Lists and single objects.

use super::continue_token::ContinueToken;
use super::error::ApiError;
use super::format::ObjectFormat;
use super::query::Query;
use crate::resource::Resource;
use crate::store::selector::Selection;
use crate::store::{ListPage, ObjectStore};
use jiff::Timestamp;
use serde_json::json;

/// The message of `k8s.io/apiserver/pkg/storage/etcd3/errors.go`.
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You \
    can start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// The requested page of a list. `behind` is the age, in writes, of answers that may be old.
pub(crate) fn page(
    store: &ObjectStore,
    resource: Resource,
    selection: &Selection,
    query: &Query,
    behind: u64,
) -> Result<ListPage, ApiError> {
    let limit = query.number("limit").filter(|limit| *limit > 0);
    let current = store.resource_version();
    if let Some(token) = query.get("continue") {
        if query.get("resourceVersion").is_some_and(|version| version != "0") {
            return Err(ApiError::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let token = ContinueToken::decode(token).map_err(ApiError::bad_request)?;
        return store
            .page(resource, selection, token.version, Some(&token.after), limit)
            .map_err(|_| {
                let inconsistent = ContinueToken {
                    version: None,
                    ..token.clone()
                };
                ApiError {
                    continue_token: Some(inconsistent.encode()),
                    ..ApiError::expired(CONTINUE_EXPIRED)
                }
            });
    }
    let version = query.get("resourceVersion").map(parse_version).transpose()?;
    // Since Kubernetes 1.19 a limited list from a version, without a match, is that exact version.
    let exact = match query.get("resourceVersionMatch") {
        None => version.is_some_and(|version| version > 0) && limit.is_some(),
        Some("NotOlderThan") if version.is_some() => false,
        Some(other) => {
            let message = format!("the simulator serves resourceVersionMatch=NotOlderThan only, found {other}");
            return Err(ApiError::bad_request(message));
        }
    };
    if let Some(version) = version.filter(|version| *version > current) {
        return Err(ApiError::too_large_version(version, current));
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
        .map_err(|_| ApiError::expired("The resourceVersion for the provided list is too old."))
}

/// The body of a page.
pub(crate) fn body(
    page: &ListPage,
    resource: Resource,
    selection: &Selection,
    format: ObjectFormat,
    now: Timestamp,
) -> Vec<u8> {
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
    if let Some(shard) = &selection.shard {
        metadata["shardInfo"] = json!({"selector": shard.text()});
    }
    format.list(resource, &metadata, &page.items, now)
}

pub(crate) fn parse_version(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))
    })
}
