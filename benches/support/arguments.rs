//! The arguments of a benchmark, after `--`.

/// The value of an option, if it is given.
pub(crate) fn text(option: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != option);
    arguments.next()?;
    let value = arguments.next();
    Some(value.unwrap_or_else(|| panic!("{option}: expected a value")))
}

/// The same as a number.
pub(crate) fn number(option: &str) -> Option<usize> {
    let text = text(option)?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{option}: expected a number, found {text:?}")))
}
