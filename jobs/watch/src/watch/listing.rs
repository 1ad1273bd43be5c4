//! One list, page by page: the next request, and when the list is invalid. Pure: no I/O, no clock.
//!
//! A list ends, its pages are all of one version, and each continue token is another one. A server, or a proxy, that
//! does otherwise must cost neither work without end nor the Jobs that are missing in what it says.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::WatchError;
use crate::decode::ListPage;

/// How many objects a page is asked to hold; the size the Kubernetes clients use.
const PAGE: u32 = 500;
/// The smallest page that is asked for. At the limit of etcd, 1.5 MiB for each object, it has room.
const SMALLEST_PAGE: u32 = 5;
/// No limit: the whole list in one reply.
pub const ONE_PIECE: u32 = 0;
/// The most pages a list may have: 2.5 million objects, more than etcd has room for.
const MAX_PAGES: usize = 5_000;
/// How many pages without a single object may follow each other. Servers fill pages, and may leave one empty.
const MAX_EMPTY: u32 = 16;
/// How often a list begins again with pages of another size before that counts as a failure.
const MAX_RESIZES: u32 = 5;

/// A list that is being read.
#[derive(Debug)]
pub struct Listing {
    limit: u32,
    token: Box<str>,
    /// The version of the first page.
    version: Box<str>,
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
    Complete(Box<str>),
}

impl Listing {
    /// Begins with the first page.
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

    /// The token of the page to ask for; empty for the first page.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How many objects the page may hold; [`ONE_PIECE`] for all.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// A page was read.
    ///
    /// # Errors
    /// If it cannot belong to the list, or the list does not end.
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
            // Only this list had to be read in one piece.
            if self.limit == ONE_PIECE {
                self.limit = PAGE;
            }
            self.resizes = 0;
            // With pages of several versions the watch starts after the first: duplicates are harmless.
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

    /// The list broke off and begins again, with pages of another size if that may help. Returns whether it may.
    pub fn failed(&mut self, failure: &WatchError) -> bool {
        let limit = match failure {
            WatchError::TooLarge(_) if self.limit == ONE_PIECE => PAGE,
            WatchError::TooLarge(_) => (self.limit / 10).max(SMALLEST_PAGE),
            // The token has expired: a list that takes longer than the server keeps its version would never end.
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

/// True if `then` is an earlier version than `first`. Versions that are no numbers can only be the same.
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
