//! One list, page by page: the next request, and the checks of each page. Pure: no I/O, no clock.
//!
//! A list ends, its pages have one version, and no continue token repeats. A server or proxy that breaks this must cause
//! neither endless work nor the loss of Jobs that are missing in its pages.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use smol_str::SmolStr;

use super::error::WatchError;
use crate::decode::ListPage;

/// The requested objects of a page, as in Kubernetes' own clients.
const PAGE: u32 = 500;
/// The smallest requested page. It fits objects of 1.5 MiB, the limit of etcd.
const SMALLEST_PAGE: u32 = 5;
/// No limit: the whole list in one page.
pub const ONE_PIECE: u32 = 0;
/// The most pages of a list: 2.5 million objects, more than etcd can store.
const MAX_PAGES: usize = 5_000;
/// The most empty pages in a row. Servers fill pages, and may leave one empty.
const MAX_EMPTY: u32 = 16;
/// The most restarts of a list with another page size before that is a failure.
const MAX_RESIZES: u32 = 5;

/// A list in progress.
#[derive(Debug)]
pub struct Listing {
    limit: u32,
    token: Box<str>,
    /// The version of the first page.
    version: SmolStr,
    /// Hashes of the tokens that were used.
    used: HashSet<u64>,
    empty: u32,
    resizes: u32,
}

/// The next step after a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another page.
    More,
    /// The list is complete and of this version.
    Complete(SmolStr),
}

impl Listing {
    /// Starts with the first page.
    pub fn new() -> Self {
        Listing {
            limit: PAGE,
            token: "".into(),
            version: "".into(),
            used: HashSet::new(),
            empty: 0,
            resizes: 0,
        }
    }

    /// The continue token of the next page; empty for the first page.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The limit of the next page, objects; [`ONE_PIECE`] for all.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Records a page.
    ///
    /// # Errors
    /// The page does not belong to the list, or the list does not end.
    pub fn page_read(&mut self, page: &ListPage<'_>) -> Result<Progress, WatchError> {
        let (version, next) = (&page.resource_version, &page.next);
        if self.token.is_empty() {
            self.version = version.clone();
        } else if goes_back(&self.version, version) {
            let first = &self.version;
            return Err(WatchError::BadList(format!(
                "its first page has resourceVersion {first}, a later one {version}"
            )));
        }
        if next.is_empty() {
            let version = std::mem::take(&mut self.version);
            self.begin_again();
            // The next list has pages again.
            if self.limit == ONE_PIECE {
                self.limit = PAGE;
            }
            self.resizes = 0;
            // With pages of several versions the watch starts at the first: duplicates are harmless.
            return Ok(Progress::Complete(version));
        }
        self.empty = if page.is_empty() { self.empty + 1 } else { 0 };
        if !self.used.insert(hash(next)) {
            return Err(WatchError::BadList("repeated continue token".into()));
        }
        if self.used.len() >= MAX_PAGES || self.empty >= MAX_EMPTY {
            let pages = self.used.len();
            return Err(WatchError::BadList(format!(
                "it does not end: {pages} pages, the last {} of them empty",
                self.empty
            )));
        }
        self.token = next.clone();
        Ok(Progress::More)
    }

    /// Restarts the list after a failure, with another page size where that may help. Returns true if the size changed.
    pub fn failed(&mut self, failure: &WatchError) -> bool {
        let limit = match failure {
            WatchError::TooLarge(_) if self.limit == ONE_PIECE => PAGE,
            WatchError::TooLarge(_) => (self.limit / 10).max(SMALLEST_PAGE),
            // The token has expired: a list that takes longer than the server keeps a version would never end.
            WatchError::Status { code: 400 | 410, .. } if !self.token.is_empty() => ONE_PIECE,
            _ => self.limit,
        };
        self.begin_again();
        let is_resized = std::mem::replace(&mut self.limit, limit) != limit;
        self.resizes += u32::from(is_resized);
        is_resized && self.resizes <= MAX_RESIZES
    }

    fn begin_again(&mut self) {
        self.token = "".into();
        self.used.clear();
        self.empty = 0;
    }
}

impl Default for Listing {
    fn default() -> Self {
        Listing::new()
    }
}

/// True if `then` is an earlier version than `first`. Versions that are not numbers can only be equal.
pub(super) fn goes_back(first: &str, then: &str) -> bool {
    match (first.parse::<u64>(), then.parse::<u64>()) {
        (Ok(first), Ok(then)) => then < first,
        _ => first != then,
    }
}

fn hash(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::list_page;
    use crate::model::{Job, Watched};

    fn read(listing: &mut Listing, version: &str, next: &str, items: &str) -> Result<Progress, WatchError> {
        let body = format!(
            r#"{{"kind":"JobList","apiVersion":"batch/v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{items}]}}"#
        );
        listing.page_read(&list_page(&body, Job::TYPE).unwrap())
    }

    fn expired() -> WatchError {
        WatchError::Status {
            code: 410,
            message: "m".into(),
            retry_after: None,
            in_band: false,
        }
    }

    #[test]
    fn a_list_is_complete_with_the_version_of_its_first_page() {
        let mut listing = Listing::new();
        assert_eq!(read(&mut listing, "9", "a", ""), Ok(Progress::More));
        assert_eq!((listing.token(), listing.limit()), ("a", 500));
        assert_eq!(read(&mut listing, "12", "b", ""), Ok(Progress::More));
        assert_eq!(read(&mut listing, "12", "", ""), Ok(Progress::Complete("9".into())));
        assert_eq!(listing.token(), "");
    }

    #[test]
    fn a_page_of_another_list_is_an_error() {
        for (first, then) in [("9", "8"), ("10", "9"), ("9", "x"), ("x", "y")] {
            let mut listing = Listing::new();
            read(&mut listing, first, "a", "").unwrap();
            assert!(matches!(read(&mut listing, then, "", ""), Err(WatchError::BadList(_))));
        }
    }

    #[test]
    fn rejects_a_repeated_continue_token() {
        for tokens in [&["a", "a"][..], &["a", "b", "a"]] {
            let mut listing = Listing::new();
            let (last, before) = tokens.split_last().unwrap();
            for token in before {
                read(&mut listing, "9", token, "1").unwrap();
            }
            let problem = read(&mut listing, "9", last, "1").unwrap_err().to_string();
            assert!(problem.contains("continue token"), "{problem}");
            // The same token may be that of the next list.
            listing.failed(&WatchError::BadList(problem));
            assert_eq!(read(&mut listing, "9", "a", "1"), Ok(Progress::More));
        }
    }

    #[test]
    fn rejects_an_endless_list() {
        let pages = |items: &str| {
            let mut listing = Listing::new();
            (1..)
                .find(|page: &usize| read(&mut listing, "9", &page.to_string(), items).is_err())
                .unwrap()
        };
        assert_eq!((pages(""), pages("1")), (16, 5000));
        let mut listing = Listing::new();
        for page in 0..100 {
            let items = if page % 10 == 0 { "1" } else { "" };
            assert!(read(&mut listing, "9", &page.to_string(), items).is_ok());
        }
    }

    #[test]
    fn pages_become_smaller_until_they_fit() {
        let mut listing = Listing::new();
        let too_large = WatchError::TooLarge(1);
        let resized: Vec<(bool, u32)> = (0..4).map(|_| (listing.failed(&too_large), listing.limit())).collect();
        assert_eq!(resized, [(true, 50), (true, 5), (false, 5), (false, 5)]);
        // The learned page size is kept.
        read(&mut listing, "9", "", "").unwrap();
        assert_eq!(listing.limit(), 5);
    }

    #[test]
    fn a_list_whose_token_expires_is_read_in_one_piece() {
        let mut listing = Listing::new();
        read(&mut listing, "9", "a", "").unwrap();
        assert!(listing.failed(&expired()));
        assert_eq!((listing.token(), listing.limit()), ("", ONE_PIECE));
        // If that is too much, in pages again, and not for ever.
        assert!(listing.failed(&WatchError::TooLarge(1)));
        assert_eq!(listing.limit(), 500);
        let mut tries = 0;
        while read(&mut listing, "9", "a", "").is_ok()
            && listing.failed(&expired())
            && listing.failed(&WatchError::TooLarge(1))
        {
            tries += 1;
        }
        assert!(tries < 5);
    }
}
