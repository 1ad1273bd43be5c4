//! Commands to copy into a shell.

use std::borrow::Cow;

use maud::{Markup, html};

use crate::pages::text;

/// A word of a shell: as it is if it has no special character, else in single quotes.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | ':' | '=');
    match !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

/// A command that the script copies, and that a click selects without it.
pub(super) fn command(id: &str, purpose: &str, command: &str) -> Markup {
    html! {
        div {
            p.label id={ (id) "-label" } { (purpose) }
            div.command {
                code id=(id) { (text::excerpt(command, 2000)) }
                button type="button" hidden data-copy=(id) aria-describedby={ (id) "-label" } { "Copy" }
            }
        }
    }
}

/// The commands about a Job.
pub(super) fn of_job(namespace: &str, name: &str) -> Markup {
    let (namespace, word) = (quoted(namespace), quoted(name));
    let selector = format!("involvedObject.name={name}");
    html! {
        div.commands {
            (command("describe", "The Job and its Events", &format!("kubectl -n {namespace} describe job {word}")))
            (command("logs", "The end of its logs",
                &format!("kubectl -n {namespace} logs {} --all-containers --prefix --tail=50", quoted(&format!("job/{name}")))))
            (command("events", "Its Events",
                &format!("kubectl -n {namespace} get events --field-selector {}", quoted(&selector))))
            (command("explain", "The same verdict in a terminal", &format!("kube-job-collector explain {word} -n {namespace}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_one_word_of_the_shell() {
        assert_eq!(quoted("nightly-29410000"), "nightly-29410000");
        assert_eq!(quoted("a; rm -rf ~"), "'a; rm -rf ~'");
        assert_eq!(quoted("a'$(id)'"), r"'a'\''$(id)'\'''");
        assert_eq!(quoted("--kubeconfig=x"), "'--kubeconfig=x'");
        assert_eq!(quoted(""), "''");
    }
}
