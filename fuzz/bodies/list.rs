//! Properties of list pages for arbitrary bytes. Run by a fuzz target, and by `cargo test` on damaged pages.
//!
//! Input: a byte that chooses the type of the list, then pages, one a line.

use std::fmt::Debug;

use job_watch::decode::{list_page, text};
use job_watch::model::{CronJob, Event, Job, Pod, Watched};
use job_watch::watch::listing::{Listing, Progress};

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let Some((kind, pages)) = data.split_first() else {
        return;
    };
    match kind % 4 {
        0 => read::<Job>(pages),
        1 => read::<Pod>(pages),
        2 => read::<Event>(pages),
        _ => read::<CronJob>(pages),
    }
}

/// A list is complete only with pages of its type; each item is an object with a UID or an error.
fn read<T: Watched + PartialEq + Debug>(pages: &[u8]) {
    let mut listing = Listing::new();
    for page in pages.split(|byte| *byte == b'\n') {
        let page = text(page.to_vec());
        let page = match list_page(&page, T::TYPE) {
            Ok(page) => page,
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control), "{error}");
                continue;
            }
        };
        assert!(!page.resource_version.is_empty());
        assert_eq!(page.objects::<T>().count(), page.len());
        for (object, again) in page.objects::<T>().zip(page.objects::<T>()) {
            match object {
                Ok(object) => {
                    assert!(!object.metadata().uid.is_empty());
                    assert_eq!(Some(object), again.ok());
                }
                Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
            }
        }
        match listing.page_read(&page) {
            Ok(Progress::Complete(version)) => {
                assert!(page.next.is_empty() && !version.is_empty());
                return;
            }
            Ok(Progress::More) => assert_eq!(listing.token(), &*page.next),
            Err(failure) => {
                assert!(!failure.to_string().contains(char::is_control), "{failure}");
                listing.failed(&failure);
                assert!(listing.token().is_empty());
            }
        }
    }
}
