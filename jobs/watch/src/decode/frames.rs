//! Cuts the stream of a watch in protobuf into frames, each of limited length.
//!
//! A frame is its length, four bytes with the highest first, and that many bytes (`pkg/util/framer/framer.go` of
//! `k8s.io/apimachinery`).

use super::MAX_LINE;

/// The bytes of a length.
const LENGTH: usize = 4;
/// No frame is this long: the first bytes of text or of a compressed stream, read as a length, are.
const IMPOSSIBLE: usize = 256 * 1024 * 1024;

/// A frame of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A complete frame, without its length.
    Whole(&'a [u8]),
    /// A frame longer than [`MAX_LINE`], skipped up to its end. Reported as soon as its length is known.
    TooLong,
}

/// The stream is not one of frames.
#[derive(Debug, PartialEq, Eq)]
pub struct NotFrames {
    /// The first bytes of a frame, read as its length.
    pub length: usize,
}

/// Cuts a stream of bytes into frames, wherever its chunks end.
#[derive(Debug, Default)]
pub struct Frames {
    /// The begun frame with its length.
    rest: Vec<u8>,
    /// The bytes left of a frame that is too long.
    skip: usize,
}

impl Frames {
    /// Adds a chunk and calls `frame` with each frame that it completes. Ends with the first error of `frame`.
    ///
    /// # Errors
    /// That of `frame`, or the bytes are no frames. The stream cannot be read any further.
    pub fn push<E: From<NotFrames>>(
        &mut self,
        mut chunk: &[u8],
        mut frame: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let skipped = self.skip.min(chunk.len());
            self.skip -= skipped;
            chunk = &chunk[skipped..];
            if chunk.is_empty() {
                return Ok(());
            }
            if self.rest.is_empty()
                && let Some(length) = length_of(chunk)?
                && let Some(whole) = chunk.get(LENGTH..LENGTH + length)
                && length <= MAX_LINE
            {
                frame(Frame::Whole(whole))?;
                chunk = &chunk[LENGTH + length..];
                continue;
            }
            // The length first: it says how much of the chunk belongs to the frame.
            self.take(&mut chunk, LENGTH);
            let Some(length) = length_of(&self.rest)? else {
                return Ok(());
            };
            if length > MAX_LINE {
                self.rest = Vec::new();
                self.skip = length;
                frame(Frame::TooLong)?;
                continue;
            }
            self.take(&mut chunk, LENGTH + length);
            if self.rest.len() == LENGTH + length {
                // One large object must not keep its memory for the life of the watch.
                let whole = std::mem::take(&mut self.rest);
                frame(Frame::Whole(&whole[LENGTH..]))?;
            }
        }
    }

    /// True if the stream ended inside a frame.
    pub fn is_cut(&self) -> bool {
        self.skip > 0 || !self.rest.is_empty()
    }

    /// Moves bytes of the chunk to the begun frame, up to this length of it.
    fn take(&mut self, chunk: &mut &[u8], length: usize) {
        let missing = length.saturating_sub(self.rest.len()).min(chunk.len());
        let (taken, left) = chunk.split_at(missing);
        self.rest.extend_from_slice(taken);
        *chunk = left;
    }
}

/// The length of the frame that begins here; `None` if it is not complete.
fn length_of(frame: &[u8]) -> Result<Option<usize>, NotFrames> {
    let Some(length) = frame.first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    match length < IMPOSSIBLE {
        true => Ok(Some(length)),
        false => Err(NotFrames { length }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame_of(text: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(text);
        frame
    }

    fn frames_of(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut frames = Frames::default();
        let mut all = Vec::new();
        for chunk in chunks {
            let pushed = frames.push::<NotFrames>(chunk, |frame| {
                match frame {
                    Frame::Whole(frame) => all.push(frame.to_vec()),
                    Frame::TooLong => panic!("too long"),
                }
                Ok(())
            });
            pushed.unwrap();
        }
        assert!(!frames.is_cut());
        all
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_where_chunks_end(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let whole: Vec<u8> = texts.iter().flat_map(|text| frame_of(text)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&whole[from..cut]);
                from = cut;
            }
            chunks.push(&whole[from..]);
            prop_assert_eq!(frames_of(&chunks), texts);
        }

        #[test]
        fn no_bytes_make_it_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut frames = Frames::default();
            for chunk in chunks {
                if frames.push::<NotFrames>(&chunk, |_| Ok(())).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_skipped_in_bounded_memory() {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        let length = 40 * 1024 * 1024_usize;
        let mut push = |frames: &mut Frames, chunk: &[u8]| {
            let pushed = frames.push::<NotFrames>(chunk, |frame| {
                match frame {
                    Frame::Whole(frame) => found.push(frame.to_vec()),
                    Frame::TooLong => found.push(b"too long".to_vec()),
                }
                Ok(())
            });
            pushed.unwrap();
        };
        push(&mut frames, &u32::try_from(length).unwrap().to_be_bytes());
        let chunk = vec![b'x'; 1024 * 1024];
        for _ in 0..40 {
            assert!(frames.is_cut());
            push(&mut frames, &chunk);
            assert_eq!(frames.rest.capacity(), 0);
        }
        assert!(!frames.is_cut());
        push(&mut frames, &frame_of(b"next"));
        assert_eq!(found, [b"too long".to_vec(), b"next".to_vec()], "reported once");
    }

    #[test]
    fn a_long_frame_in_one_chunk_is_skipped_as_well() {
        let mut chunk = frame_of(&vec![b'x'; MAX_LINE + 1]);
        chunk.extend(frame_of(b"next"));
        let (mut too_long, mut whole) = (0, 0);
        let pushed = Frames::default().push::<NotFrames>(&chunk, |frame| {
            match frame {
                Frame::Whole(frame) => whole += usize::from(frame == b"next"),
                Frame::TooLong => too_long += 1,
            }
            Ok(())
        });
        assert_eq!((pushed, too_long, whole), (Ok(()), 1, 1));
    }

    #[test]
    fn text_is_not_taken_for_a_long_frame() {
        for text in ["<html>", "{\"type\"", "HTTP/1.1", "\x1f\u{8b}\x08\0\0"] {
            let mut frames = Frames::default();
            assert!(frames.push::<NotFrames>(text.as_bytes(), |_| Ok(())).is_err(), "{text}");
        }
    }
}
