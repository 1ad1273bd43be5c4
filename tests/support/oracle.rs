//! Tools that check the project's output independently. A test without its tool is skipped, and fails with `REQUIRE_ORACLES=1`.

/// Reports that a test is skipped because `tool` is missing, and how to install it.
pub(crate) fn skip(tool: &str, install: &str) {
    assert!(
        std::env::var_os("REQUIRE_ORACLES").is_none_or(|required| required != "1"),
        "{tool} is missing, and REQUIRE_ORACLES=1 requires it ({install})"
    );
    eprintln!("SKIPPED: {tool} is missing ({install})");
}
