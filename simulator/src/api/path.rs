//! Paths of resources, and the verbs of requests for them.

use super::access::Verb;
use super::query::Query;
use crate::resource::Resource;
use http::Method;

/// The parts of a path that names a resource.
#[derive(Debug)]
pub(crate) struct ApiPath {
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl ApiPath {
    pub(crate) fn parse(path: &str) -> Option<ApiPath> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        if parts.next()? != "v1" {
            return None;
        }
        let mut parts: Vec<&str> = parts.collect();
        let mut namespace = None;
        if let ["namespaces", name, _, ..] = parts.as_slice() {
            namespace = Some((*name).to_owned());
            parts.drain(..2);
        }
        let resource = Resource::from_plural(parts.first()?).filter(|resource| resource.group() == group)?;
        let part = |index: usize| parts.get(index).map(|part| (*part).to_owned());
        let fits = parts.len() <= 3 && (resource.namespaced() || namespace.is_none());
        fits.then(|| ApiPath {
            resource,
            namespace,
            name: part(1),
            subresource: part(2),
        })
    }

    /// The verb of a request for this path, if the simulator serves it.
    pub(crate) fn verb(&self, method: &Method, query: &Query) -> Option<Verb> {
        Some(match (method.as_str(), &self.name) {
            ("GET", None) if query.flag("watch") => Verb::Watch,
            ("GET", None) => Verb::List,
            ("GET", Some(_)) => Verb::Get,
            ("POST", None) => Verb::Create,
            ("PUT", Some(_)) => Verb::Update,
            _ => return None,
        })
    }
}
