//! Lists of indexes as the Job controller writes them: `1,3-5` (`pkg/controller/job/indexed_job_utils.go`).

use std::ops::RangeInclusive;

/// The ranges of a list of indexes; parts that cannot be read are left out. Ranges are never expanded: `0-99999` is one.
pub fn parse(list: &str) -> Vec<RangeInclusive<u32>> {
    list.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
        .filter(|range: &RangeInclusive<u32>| !range.is_empty())
        .collect()
}

/// Whether an index, as annotated on a Pod, is in the list.
pub fn contains(ranges: &[RangeInclusive<u32>], index: &str) -> bool {
    index
        .parse()
        .is_ok_and(|index: u32| ranges.iter().any(|range| range.contains(&index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_nonsense_is_left_out() {
        let ranges = parse("1,3-5,x,7-,99999999999,8-6");
        assert_eq!(ranges, [1..=1, 3..=5]);
        assert!(contains(&ranges, "4"));
        for index in ["0", "2", "6", "7", "", "-1", "4x"] {
            assert!(!contains(&ranges, index), "{index}");
        }
        assert!(parse("").is_empty());
    }
}
