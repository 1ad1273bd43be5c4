//! Counts the events of one window. Pure.

use std::collections::BTreeMap;

use job_event::attributes as attr;
use job_event::finished::Finished;
use job_event::notice::MissReason;
use job_event::outcome::Outcome;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::dimensions::PointAttributes;
use crate::event::CountedEvent;
use crate::histogram::Histogram;
use crate::points::OwnerPoints;
use crate::window::Window;

/// The cause or category of an event that no processor has judged.
const NOT_JUDGED: (&str, &str) = ("Unknown", "unknown");

/// The counts of one window.
#[derive(Debug)]
pub struct Aggregate {
    max_buckets: usize,
    attributes: PointAttributes,
    /// By the encoded resource and the values of the dimensions.
    owners: BTreeMap<(Vec<u8>, Vec<Option<String>>), OwnerCounts>,
}

/// The counts of one resource whose points have the same values of the dimensions.
#[derive(Debug)]
struct OwnerCounts {
    resource: Resource,
    schema_url: String,
    counts: Counts,
}

/// Counts by the built-in attributes of their points; one that points do not have is `None`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// By reason, cause and category.
    pub failures: BTreeMap<[Option<String>; 3], u64>,
    pub completions: u64,
    /// By cause.
    pub attempt_failures: BTreeMap<Option<String>, u64>,
    /// By outcome and, for failures, reason.
    pub durations: BTreeMap<(Option<&'static str>, Option<String>), Histogram>,
    /// By reason.
    pub missed_runs: BTreeMap<Option<MissReason>, u64>,
}

impl Aggregate {
    /// True if both make the same points of an event.
    pub(crate) fn is_alike(&self, other: &Aggregate) -> bool {
        (self.max_buckets, &self.attributes) == (other.max_buckets, &other.attributes)
    }

    /// An empty window whose histograms have at most that many buckets.
    pub fn new(max_buckets: usize) -> Self {
        Aggregate {
            max_buckets,
            attributes: PointAttributes::default(),
            owners: BTreeMap::new(),
        }
    }

    /// Points with other attributes than those built in.
    #[must_use]
    pub fn with_attributes(self, attributes: PointAttributes) -> Self {
        Aggregate { attributes, ..self }
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Counts an event with these attributes.
    pub fn add(
        &mut self,
        resource: Option<&Resource>,
        schema_url: &str,
        attributes: &[KeyValue],
        event: &CountedEvent,
    ) {
        let of_resource = resource.map_or(&[][..], |resource| &resource.attributes);
        let values = self.attributes.values(attributes, of_resource);
        let resource = owner(resource);
        let owner = self.owners.entry((resource.encode_to_vec(), values));
        let owner = owner.or_insert_with(|| OwnerCounts {
            resource,
            schema_url: schema_url.into(),
            counts: Counts::default(),
        });
        let counts = &mut owner.counts;
        match event {
            CountedEvent::Finished(event) => counts.add_finished(event, self.max_buckets, &self.attributes),
            CountedEvent::Missed(event) => {
                let reason = self.attributes.built_in(attr::POINT_REASON, || event.reason);
                let total = counts.missed_runs.entry(reason).or_insert(0);
                *total = total.saturating_add(event.count);
            }
        }
    }

    /// The points of the window, one `ResourceMetrics` for each owner; the aggregate is empty afterwards.
    pub fn take(&mut self, window: Window) -> Vec<ResourceMetrics> {
        let mut metrics = Vec::with_capacity(self.owners.len());
        let mut owners = std::mem::take(&mut self.owners).into_iter().peekable();
        while let Some(((key, values), owner)) = owners.next() {
            let mut points = OwnerPoints::new(window);
            points.add(owner.counts, &self.attributes.with_values(&values));
            while let Some(((_, values), same)) = owners.next_if(|((next, _), _)| *next == key) {
                points.add(same.counts, &self.attributes.with_values(&values));
            }
            metrics.push(points.into_metrics(owner.resource, owner.schema_url));
        }
        metrics
    }
}

/// The resource that a Job's metrics belong to: that of its event, but the Jobs that an object controls are one series, so
/// without the Job's own name. Attributes in the order of their names, so that equal resources are one.
fn owner(resource: Option<&Resource>) -> Resource {
    let mut resource = resource.cloned().unwrap_or_default();
    let is_controlled = |kv: &KeyValue| kv.key == attr::CRONJOB_NAME || kv.key == attr::OWNERREF_NAME;
    if resource.attributes.iter().any(is_controlled) {
        resource
            .attributes
            .retain(|kv| kv.key != attr::JOB_NAME && kv.key != attr::JOB_UID);
    }
    resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    resource
}

impl Counts {
    fn add_finished(&mut self, event: &Finished, max_buckets: usize, attributes: &PointAttributes) {
        let reason = match event.outcome {
            Outcome::Failed => attributes.built_in(attr::POINT_REASON, || event.reason.clone().unwrap_or_default()),
            _ => None,
        };
        match event.outcome {
            Outcome::Failed => {
                let judged =
                    |found: &Option<String>, otherwise: &str| found.clone().unwrap_or_else(|| otherwise.into());
                let cause = attributes.built_in(attr::POINT_CAUSE, || judged(&event.cause, NOT_JUDGED.0));
                let category = attributes.built_in(attr::POINT_CATEGORY, || judged(&event.category, NOT_JUDGED.1));
                *self.failures.entry([reason.clone(), cause, category]).or_insert(0) += 1;
            }
            _ => self.completions += 1,
        }
        for (cause, count) in &event.attempt_failures {
            let cause = attributes.built_in(attr::POINT_CAUSE, || cause.clone());
            let total = self.attempt_failures.entry(cause).or_insert(0);
            *total = total.saturating_add(*count);
        }
        if let Some(seconds) = event.duration_s {
            let outcome = attributes.built_in(attr::POINT_OUTCOME, || event.outcome.as_str());
            self.durations
                .entry((outcome, reason))
                .or_insert_with(|| Histogram::new(max_buckets))
                .record(seconds);
        }
    }
}
