//! Cuts the stream of a watch into lines, each of limited length.

/// The longest line of a watch that is read, bytes. etcd refuses objects over 1.5 MiB by default; JSON escapes and
/// larger etcd limits leave room above that.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

/// A line of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A complete line, without its end.
    Whole(&'a [u8]),
    /// A line longer than [`MAX_LINE`], skipped up to its end. Reported as soon as it is too long.
    TooLong,
}

/// Cuts a stream of bytes into lines, wherever its chunks end.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
    /// Inside a line that is too long.
    is_skipping: bool,
}

impl Lines {
    /// Adds a chunk and calls `line` with each line that it completes.
    pub fn push(&mut self, mut chunk: &[u8], mut line: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (head, tail) = (&chunk[..end], &chunk[end + 1..]);
            if self.rest.is_empty() && !self.is_skipping && head.len() <= MAX_LINE {
                line(Line::Whole(head));
            } else {
                self.append(head, &mut line);
                if !self.is_skipping {
                    line(Line::Whole(&self.rest));
                }
                // One large object must not keep its memory for the life of the watch.
                *self = Lines::default();
            }
            chunk = tail;
        }
        self.append(chunk, &mut line);
    }

    /// True if the stream ended inside a line.
    pub fn is_cut(&self) -> bool {
        self.is_skipping || !self.rest.is_empty()
    }

    fn append(&mut self, bytes: &[u8], line: &mut impl FnMut(Line<'_>)) {
        if self.is_skipping {
            return;
        }
        if self.rest.len() + bytes.len() > MAX_LINE {
            self.rest = Vec::new();
            self.is_skipping = true;
            return line(Line::TooLong);
        }
        self.rest.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| match line {
                Line::Whole(line) => all.push(line.to_vec()),
                Line::TooLong => panic!("too long"),
            });
        }
        assert!(!lines.is_cut());
        all
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_where_chunks_end(
            texts in prop::collection::vec("[^\n]{0,40}", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let whole: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\n").into_bytes()).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&whole[from..cut]);
                from = cut;
            }
            chunks.push(&whole[from..]);
            let expected: Vec<Vec<u8>> = texts.iter().map(|text| text.clone().into_bytes()).collect();
            prop_assert_eq!(lines_of(&chunks), expected);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_in_bounded_memory() {
        let mut lines = Lines::default();
        let chunk = vec![b'x'; 1024 * 1024];
        let mut reported = Vec::new();
        for _ in 0..40 {
            lines.push(&chunk, |line| reported.push(line == Line::TooLong));
            assert!(lines.rest.capacity() <= 2 * MAX_LINE);
        }
        assert_eq!(reported, [true], "reported once, before it ends");
        assert!(lines.is_cut());
        let mut whole = Vec::new();
        lines.push(b"x\nnext\n", |line| match line {
            Line::Whole(line) => whole.push(line.to_vec()),
            Line::TooLong => panic!("reported twice"),
        });
        assert_eq!(whole, [b"next"]);
        assert!(!lines.is_cut());
    }

    #[test]
    fn a_long_line_in_one_chunk_is_skipped_as_well() {
        let mut chunk = vec![b'x'; MAX_LINE + 1];
        chunk.extend_from_slice(b"\nnext\n");
        let (mut too_long, mut whole) = (0, 0);
        Lines::default().push(&chunk, |line| match line {
            Line::Whole(line) => whole += usize::from(line == b"next"),
            Line::TooLong => too_long += 1,
        });
        assert_eq!((too_long, whole), (1, 1));
    }
}
