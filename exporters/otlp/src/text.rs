//! What a backend says, made fit to be shown.

use reqwest::header::HeaderMap;

/// The longest text of a backend that is shown, in characters.
const LONGEST: usize = 300;

/// One line without control characters, cut to a sensible length, without any of the secrets in `headers`.
pub(crate) fn clean(text: &str, headers: &HeaderMap) -> String {
    let mut text = text.to_owned();
    for value in headers.values() {
        if let Ok(secret) = value.to_str()
            // Shorter ones are no secrets, and replacing them would garble the text.
            && secret.len() >= 6
        {
            text = text.replace(secret, pipeline::config::REDACTED);
        }
    }
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut words = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// The title of an HTML page, if the text is one; the page itself helps nobody.
pub(crate) fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.trim_start();
    if !start.starts_with("<!doctype html") && !start.starts_with("<html") {
        return None;
    }
    let title = lower.find("<title>").map(|at| at + "<title>".len()).and_then(|begin| {
        let end = lower[begin..].find("</title>")? + begin;
        // `to_ascii_lowercase` keeps every byte position.
        Some(text.get(begin..end)?.trim().to_owned())
    });
    Some(title.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_short_line_without_secrets() {
        let mut headers = HeaderMap::new();
        headers.insert("dd-api-key", "hunter2x".parse().unwrap());
        assert_eq!(
            clean("key hunter2x\r\n\x1b[31mis \t wrong", &headers),
            "key [REDACTED] [31mis wrong"
        );
        let long = clean(&"ä".repeat(1000), &headers);
        assert_eq!(long.chars().count(), LONGEST + 1);
    }

    #[test]
    fn of_a_page_the_title_is_enough() {
        let page = " <!DOCTYPE html><html><head><TITLE> 502 Bad Gateway </TITLE></head><body>…</body></html>";
        assert_eq!(html_title(page).as_deref(), Some("502 Bad Gateway"));
        assert_eq!(html_title("<html><title>x").as_deref(), Some(""));
        assert_eq!(html_title("plain <html>"), None);
    }
}
