//! A group of statements, and the data that it runs on.

use collector_ottl::{Context, Item, Owners, Statement};
use collector_ottl_processing::{Conditions, ErrorMode, Failures, OttlItem, ResourceItems, ScopeItems};
use opentelemetry_proto::tonic::common::v1::KeyValue;

/// Statements about items of one context.
#[derive(Debug)]
pub(crate) struct StatementGroup {
    pub(crate) context: Context,
    pub(crate) mode: ErrorMode,
    /// The statements run on items for which one of these is true; on every item if there is none.
    pub(crate) conditions: Conditions,
    /// Each with its path in the settings.
    pub(crate) statements: Vec<(String, Statement)>,
    /// `cache` is that of all such groups of this context, for as long as the processor runs.
    pub(crate) shares_cache: bool,
}

/// `cache` of the groups that share it, by context.
#[derive(Debug, Default)]
pub(crate) struct SharedCaches(Vec<(Context, Vec<KeyValue>)>);

impl SharedCaches {
    fn of(&mut self, context: Context) -> &mut Vec<KeyValue> {
        let index = match self.0.iter().position(|(of, _)| *of == context) {
            Some(index) => index,
            None => {
                self.0.push((context, Vec::new()));
                self.0.len() - 1
            }
        };
        &mut self.0[index].1
    }
}

impl StatementGroup {
    /// Runs the statements on every item of their context.
    ///
    /// # Errors
    /// The reason to reject the batch. The items before are changed already.
    pub(crate) fn run<R: ResourceItems>(
        &self,
        resources: &mut [R],
        caches: &mut SharedCaches,
        failures: &Failures,
    ) -> Result<(), String> {
        let mut run = |item: Item<'_>| self.run_on(item, caches, failures);
        for group in resources {
            let (resource, resource_schema_url, scopes) = group.parts_mut();
            if self.context == Context::Resource {
                run(Item::resource(resource, resource_schema_url))?;
                continue;
            }
            for group in scopes {
                let (scope, scope_schema_url, items) = group.parts_mut();
                let mut owners = Owners {
                    scope,
                    scope_schema_url,
                    resource,
                    resource_schema_url,
                };
                match self.context {
                    Context::Scope => run(Item::scope(owners))?,
                    Context::DataPoint => {
                        for metric in items {
                            metric.each_point(owners.reborrow(), &mut run)?;
                        }
                    }
                    _ => {
                        for item in items {
                            run(item.item(owners.reborrow()))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn run_on(&self, mut item: Item<'_>, caches: &mut SharedCaches, failures: &Failures) -> Result<(), String> {
        if self.shares_cache {
            item = item.with_cache(std::mem::take(caches.of(self.context)));
        }
        let result = self.execute(&mut item, failures);
        if self.shares_cache {
            *caches.of(self.context) = item.into_cache();
        }
        result
    }

    fn execute(&self, item: &mut Item<'_>, failures: &Failures) -> Result<(), String> {
        if !self.conditions.is_empty() && !self.conditions.any(&item.view(), failures)? {
            return Ok(());
        }
        for (setting, statement) in &self.statements {
            if let Err(error) = statement.execute(item) {
                failures.record(self.mode, setting, &error)?;
            }
        }
        Ok(())
    }
}
