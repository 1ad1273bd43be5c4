//! Lists of indexes as the Job controller writes them: `1,3-5` (`pkg/controller/job/indexed_job_utils.go`).

use std::ops::RangeInclusive;

/// The ranges of a list of indexes, without unreadable parts. A range is never expanded: `0-99999` is one.
pub(crate) fn parse(list: &str) -> Vec<RangeInclusive<u32>> {
    list.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
        .filter(|range: &RangeInclusive<u32>| !range.is_empty())
        .collect()
}

/// True if the index, as annotated on a Pod, is in the list.
pub(crate) fn contains(ranges: &[RangeInclusive<u32>], index: &str) -> bool {
    index
        .parse()
        .is_ok_and(|index: u32| ranges.iter().any(|range| range.contains(&index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_and_skips_unreadable_parts() {
        let ranges = parse("1,3-5,x,7-,99999999999,8-6");
        assert_eq!(ranges, [1..=1, 3..=5]);
        assert!(contains(&ranges, "4"));
        for index in ["0", "2", "6", "7", "", "-1", "4x"] {
            assert!(!contains(&ranges, index), "{index}");
        }
        assert!(parse("").is_empty());
    }
}
