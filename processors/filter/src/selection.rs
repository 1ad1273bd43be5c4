//! The data that a group of conditions drops: selected without a change, so that a batch without a match is not copied.

use collector_ottl::{OwnersRef, View};
use collector_ottl_processing::{Conditions, Failures, OttlItem, ResourceItems, ScopeItems};

/// Conditions of one signal by the kind of data that they drop. `None` differs from an empty list: where conditions about
/// items are configured, also scopes and resources without items are removed.
#[derive(Debug, Default)]
pub(crate) struct DropConditions {
    pub(crate) resource: Option<Conditions>,
    pub(crate) scope: Option<Conditions>,
    /// About log records, metrics or spans.
    pub(crate) item: Option<Conditions>,
    pub(crate) point: Option<Conditions>,
}

/// Resources, scopes, items and points are counted in their order, without those inside of dropped data.
#[derive(Debug, Default)]
struct DropSelection {
    counted: usize,
    /// The numbers of the dropped ones, ascending.
    dropped: Vec<usize>,
    /// True if something has no content and is removed for that.
    has_empty: bool,
}

impl DropSelection {
    fn drops(&mut self, conditions: Option<&Conditions>, view: &View<'_>, failures: &Failures) -> Result<bool, String> {
        let number = self.counted;
        self.counted += 1;
        let is_dropped = match conditions {
            Some(conditions) => conditions.any(view, failures)?,
            None => false,
        };
        if is_dropped {
            self.dropped.push(number);
        }
        Ok(is_dropped)
    }
}

impl DropConditions {
    fn reach_items(&self) -> bool {
        self.item.is_some() || self.point.is_some()
    }

    fn reach_scopes(&self) -> bool {
        self.scope.is_some() || self.reach_items()
    }

    /// The data to drop; `None` if nothing changes.
    ///
    /// # Errors
    /// The reason to reject the batch.
    pub(crate) fn select<R: ResourceItems>(
        &self,
        resources: &[R],
        failures: &Failures,
    ) -> Result<Option<Dropped<'_>>, String> {
        let mut selection = DropSelection::default();
        for group in resources {
            let (resource, resource_schema_url, scopes) = group.parts();
            let view = View::resource(resource, resource_schema_url);
            if selection.drops(self.resource.as_ref(), &view, failures)? {
                continue;
            }
            selection.has_empty |= scopes.is_empty();
            if !self.reach_scopes() {
                continue;
            }
            for group in scopes {
                let (scope, scope_schema_url, items) = group.parts();
                let owners = OwnersRef {
                    scope,
                    scope_schema_url,
                    resource,
                    resource_schema_url,
                };
                if selection.drops(self.scope.as_ref(), &View::scope(owners), failures)? {
                    continue;
                }
                selection.has_empty |= items.is_empty();
                if self.reach_items() {
                    self.select_items(items, owners, &mut selection, failures)?;
                }
            }
        }
        let changes = selection.has_empty || !selection.dropped.is_empty();
        Ok(changes.then_some(Dropped {
            conditions: self,
            dropped: selection.dropped,
        }))
    }

    fn select_items<I: OttlItem>(
        &self,
        items: &[I],
        owners: OwnersRef<'_>,
        selection: &mut DropSelection,
        failures: &Failures,
    ) -> Result<(), String> {
        for item in items {
            if selection.drops(self.item.as_ref(), &item.view(owners), failures)? || self.point.is_none() {
                continue;
            }
            let Some(points) = item.points(owners) else { continue };
            let mut count = 0;
            for point in points {
                count += 1;
                selection.drops(self.point.as_ref(), &point, failures)?;
            }
            selection.has_empty |= count == 0;
        }
        Ok(())
    }
}

/// The numbers of the data to drop.
#[derive(Debug)]
pub(crate) struct Dropped<'c> {
    conditions: &'c DropConditions,
    dropped: Vec<usize>,
}

impl Dropped<'_> {
    /// Removes the data from the same resources, and what has no content then.
    pub(crate) fn remove_from<R: ResourceItems>(self, resources: &mut Vec<R>) {
        let conditions = self.conditions;
        let mut dropped = self.dropped.into_iter().peekable();
        let mut counted = 0;
        let mut keep = || {
            let number = counted;
            counted += 1;
            dropped.next_if_eq(&number).is_none()
        };
        resources.retain_mut(|group| {
            if !keep() {
                return false;
            }
            let (_, _, scopes) = group.parts_mut();
            if conditions.reach_scopes() {
                scopes.retain_mut(|group| {
                    if !keep() {
                        return false;
                    }
                    let (_, _, items) = group.parts_mut();
                    if conditions.reach_items() {
                        items
                            .retain_mut(|item| keep() && (conditions.point.is_none() || item.retain_points(&mut keep)));
                    }
                    !items.is_empty()
                });
            }
            !scopes.is_empty()
        });
    }
}
