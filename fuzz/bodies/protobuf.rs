//! Properties of the decoder of protobuf for arbitrary bytes. Run by a fuzz target, and by `cargo test` on damaged frames.
//!
//! Input: a byte that says how long chunks are, then the stream of a watch.

use std::fmt::Debug;

use job_watch::decode::{
    EventReader, Frame, FrameError, Frames, NotFrames, WatchEvent, WireFormat, protobuf_page, watch_frame,
};
use job_watch::model::{CronJob, Event, Job, Pod, Watched};

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let Some((chunk, stream)) = data.split_first() else {
        return;
    };
    let chunks = || stream.chunks(usize::from(*chunk).max(1));
    let (frames, cut, broken) = frames_of(chunks());
    let whole = frames_of(std::iter::once(stream));
    assert_eq!(broken, whole.2, "frames depend on where chunks end");
    if broken.is_none() {
        assert_eq!((&frames, cut), (&whole.0, whole.1), "frames depend on where chunks end");
    }
    for frame in frames.iter().map(Vec::as_slice).chain([stream]) {
        read::<Job>(frame);
        read::<Pod>(frame);
        read::<Event>(frame);
        read::<CronJob>(frame);
    }
    assert_eq!(watched::<Pod>(chunks()), watched::<Pod>(std::iter::once(stream)));
}

fn frames_of<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool, Option<NotFrames>) {
    let mut frames = Frames::default();
    let mut all = Vec::new();
    for chunk in chunks {
        let read = frames.push::<NotFrames>(chunk, |frame| {
            if let Frame::Whole(frame) = frame {
                all.push(frame.to_vec());
            }
            Ok(())
        });
        if let Err(broken) = read {
            return (all, false, Some(broken));
        }
    }
    (all, frames.is_cut(), None)
}

/// The events of a watch, and why it breaks.
fn watched<'a, T: Watched + Debug>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Option<String>) {
    let mut events = EventReader::new(WireFormat::Protobuf);
    let mut all = Vec::new();
    for chunk in chunks {
        if let Err(broken) = events.push::<T>(chunk, None, |event| all.push(format!("{event:?}"))) {
            return (all, Some(broken.0));
        }
    }
    (all, None)
}

/// Decoding is deterministic; a decoded object has a UID, a failure has a reason.
fn read<T: Watched + PartialEq + Debug>(frame: &[u8]) {
    let read = watch_frame::<T>(frame, None);
    match &read {
        Ok(WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) => {
            assert!(!object.metadata().uid.is_empty());
            assert_eq!(watch_frame::<T>(frame, None).ok(), read.ok());
        }
        Ok(WatchEvent::Bookmark { .. } | WatchEvent::Error(_)) => {}
        Err(FrameError::Event(error)) => {
            let text = error.to_string();
            assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
        }
        Err(FrameError::Broken(problem)) => assert!(!problem.is_empty()),
    }
    match protobuf_page(frame, T::TYPE) {
        Ok(page) => assert_eq!(page.objects::<T>().count(), page.len()),
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}
