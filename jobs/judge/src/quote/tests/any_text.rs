//! Properties that hold for any text. The generator is a linear congruential one; a failure prints its seed.

use super::super::{MAX_QUOTED, Origin, quoted};

/// Fragments that the rules look at, in any order and combination.
const FRAGMENTS: [&str; 40] = [
    "rpc error: code = Unknown desc = ",
    "failed to create containerd task: ",
    "failed to pull image \"a",
    "\": ",
    "Error: ",
    ": unknown",
    " preemption: ",
    "0/1 nodes are available: ",
    "unable to validate against any security context constraint: [",
    "provider \"x\": Forbidden: not usable by user or serviceaccount",
    "violates PodSecurity \"restricted\": a (b), c (d",
    "pods \"x\" is forbidden: ",
    "time=\"",
    "\" level=error msg=\"",
    "\\\"",
    "Traceback (most recent call last):\n",
    "  File \"a.py\", line 3, in f\n",
    "ValueError: bad\n",
    "panic: x\n",
    "goroutine 1 [running]:\n",
    "thread 'main' panicked at a:\n",
    "\tat a.b(C.java:1)\n",
    "Caused by: a.BException: c\n",
    "Caused by:\n",
    "npm ERR! ",
    "{\"level\":\"error\",\"msg\":\"",
    "\"}\n",
    "E0310 02:00:00 1 a.go:1] ",
    "\u{1b}[31m",
    "password=",
    "\"token\":\"",
    "Authorization: ",
    "https://u:p@h/?sig=",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.e30.",
    "\n",
    " ",
    "│ ",
    "日本\u{202e}\u{0}\r",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn text(&mut self) -> String {
        let parts = self.below(60);
        let mut text = String::new();
        for _ in 0..parts {
            match self.below(4) {
                0 => {
                    let bytes: Vec<u8> = (0..self.below(40))
                        .map(|_| u8::try_from(self.below(256)).unwrap())
                        .collect();
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
                1 => text.push(char::from_u32(u32::try_from(self.below(0x1_1000)).unwrap()).unwrap_or('x')),
                _ => text.push_str(FRAGMENTS[self.below(FRAGMENTS.len())]),
            }
        }
        text
    }
}

fn check(text: &str, what: &str) {
    for origin in [Origin::Program, Origin::Cluster] {
        let quote = quoted(text, origin, "image a could not be pulled");
        let inside = quote
            .strip_prefix('“')
            .and_then(|quote| quote.strip_suffix('”'))
            .unwrap();
        assert!(inside.chars().count() <= MAX_QUOTED + 1, "{what}: too long: {quote}");
        assert!(
            !inside.chars().any(char::is_control),
            "{what}: control characters: {quote:?}"
        );
        assert_eq!(
            inside.is_empty(),
            text.trim().is_empty(),
            "{what}: {text:?} became {quote:?}"
        );
    }
}

#[test]
fn any_text_becomes_one_short_line() {
    for seed in 0..3000 {
        let text = Random(seed).text();
        check(&text, &format!("seed {seed}"));
    }
}

#[test]
fn texts_of_one_kind_become_one_short_line() {
    for fragment in FRAGMENTS {
        for count in [1, 2, 500] {
            check(&fragment.repeat(count), fragment);
        }
    }
    for text in [
        "",
        " \n\t ",
        "...",
        "\u{1b}[0m",
        "\u{0}",
        "“”",
        "\u{202e}",
        "\u{a0}",
        "|",
        "│",
        "}",
    ] {
        check(text, "special");
    }
    check(&"日本語".repeat(20_000), "long");
    check(&format!("{}\u{7}", "\u{7}".repeat(50_000)), "escapes");
}
