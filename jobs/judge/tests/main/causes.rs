//! The table of causes.

use job_judge::CAUSES;

#[test]
fn the_table_names_each_cause_in_the_order_of_the_enum() {
    for (place, info) in CAUSES.iter().enumerate() {
        assert_eq!(info.cause as usize, place, "{}", info.name);
        assert_eq!(info.name, format!("{:?}", info.cause));
        assert_eq!(serde_json::to_value(info.cause).unwrap(), info.name);
    }
}

#[test]
fn texts_for_people_are_sentences_and_clauses_are_not() {
    for info in CAUSES {
        for text in [info.meaning, info.proof, info.next_step] {
            assert!(text.ends_with('.'), "{}: {text}", info.name);
        }
        assert!(!info.clause.ends_with('.'), "{}: {}", info.name, info.clause);
    }
}
