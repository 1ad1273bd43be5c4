//! The name of an Event: the same for the same record, so that the API server refuses a second one.

use job_watch::client::is_dns_subdomain;

use crate::involved::InvolvedObject;

/// The name of the Event about an object for the record with this id (`log.record.uid`): `OBJECT.HASH`, as client-go names
/// Events. An object with a name that no object can have is left out of it.
pub(crate) fn event_name(object: &InvolvedObject, record_uid: &str) -> String {
    let hash = fnv1a(format!("{}/{record_uid}", object.kind.as_str()).as_bytes());
    let name = format!("{}.{hash:032x}", object.name);
    match is_dns_subdomain(&name) {
        true => name,
        false => format!("kube-job-collector.{hash:032x}"),
    }
}

/// FNV-1a of 128 bits: two records of one cluster never share a value by chance.
fn fnv1a(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes
        .iter()
        .fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::involved::InvolvedKind;

    fn object(kind: InvolvedKind, name: &str) -> InvolvedObject {
        InvolvedObject {
            kind,
            namespace: "shop".into(),
            name: name.into(),
            uid: "u".into(),
        }
    }

    #[test]
    fn hash_is_that_of_the_specification() {
        // Test vectors of draft-eastlake-fnv.
        assert_eq!(fnv1a(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn the_name_is_stable_across_releases() {
        let job = object(InvolvedKind::Job, "report-29");
        assert_eq!(
            event_name(&job, "de3a51b8-55e3-4fe0-8237-514a566ec862"),
            "report-29.d6a91e8fae23ea3dee7d7b017525e8b7"
        );
    }

    #[test]
    fn each_record_and_object_has_its_own_name() {
        let uid = "de3a51b8-55e3-4fe0-8237-514a566ec862";
        let records = [
            uid.to_owned(),
            format!("{uid}/stalled/ImagePull"),
            format!("{uid}/stalled/Unschedulable"),
            format!("{uid}/missed/2026-11-28T10:05:00Z"),
        ];
        let kinds = [InvolvedKind::Job, InvolvedKind::CronJob];
        let names: BTreeSet<String> = records
            .iter()
            .flat_map(|record| kinds.map(|kind| event_name(&object(kind, "report"), record)))
            .collect();
        assert_eq!(names.len(), 8);
        assert!(names.iter().all(|name| is_dns_subdomain(name)), "{names:?}");
    }

    #[test]
    fn names_are_valid_for_any_object_name() {
        for name in ["a".repeat(253), "A/b".into(), "".into(), "x..y".into(), "ü".into()] {
            let found = event_name(&object(InvolvedKind::Job, &name), "uid");
            assert!(is_dns_subdomain(&found), "{found}");
            assert!(found.starts_with("kube-job-collector."), "{found}");
        }
        let longest = "a".repeat(220);
        assert!(event_name(&object(InvolvedKind::Job, &longest), "uid").starts_with(&longest));
    }
}
