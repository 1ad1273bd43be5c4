//! The values that the filter offers: those of the stored events.

use std::collections::BTreeSet;

use crate::views::Listed;

/// The most values of each kind.
const MOST: usize = 150;

/// Sorted values, the latest ones if they are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(super) namespaces: Vec<String>,
    pub(super) owners: Vec<String>,
    pub(super) causes: Vec<String>,
}

impl Choices {
    /// The values of events, newest first.
    pub(crate) fn of<'a>(newest: impl IntoIterator<Item = &'a Listed>) -> Choices {
        let (mut namespaces, mut owners, mut causes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let add = |values: &mut BTreeSet<&'a str>, value: &'a str| {
            if !value.is_empty() && values.len() < MOST {
                values.insert(value);
            }
        };
        for event in newest {
            add(&mut namespaces, &event.namespace);
            // A browser shows these values as they are.
            if !event.owner.name.contains(escape::is_unsafe) {
                add(&mut owners, &event.owner.name);
            }
            event.cause.split(',').for_each(|cause| add(&mut causes, cause));
        }
        let texts = |values: BTreeSet<&str>| values.into_iter().map(str::to_owned).collect();
        Choices {
            namespaces: texts(namespaces),
            owners: texts(owners),
            causes: texts(causes),
        }
    }
}
