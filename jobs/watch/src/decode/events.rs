//! The events of a watch, in either form.

use super::frames::{Frame, Frames, NotFrames};
use super::lines::{Line, Lines};
use super::protobuf::{FrameError, watch_frame};
use super::{DecodeError, WatchEvent, WireFormat, watch_line_with};
use crate::extract::Wanted;
use crate::model::Watched;

/// Cuts the chunks of a watch into events.
#[derive(Debug)]
pub enum EventReader {
    /// JSON, one event a line.
    Lines(Lines),
    /// Protobuf, one event a frame.
    Frames(Frames),
}

/// The stream is not what its content type says. Nothing after the last event can be read.
#[derive(Debug, PartialEq, Eq)]
pub struct BrokenStream(pub String);

impl From<NotFrames> for BrokenStream {
    fn from(found: NotFrames) -> Self {
        BrokenStream(format!("found a frame of {} bytes", found.length))
    }
}

impl Default for EventReader {
    fn default() -> Self {
        EventReader::Lines(Lines::default())
    }
}

impl EventReader {
    /// The events of a watch in this form.
    pub fn new(encoding: WireFormat) -> Self {
        match encoding {
            WireFormat::Json => EventReader::Lines(Lines::default()),
            WireFormat::Protobuf => EventReader::Frames(Frames::default()),
        }
    }

    /// Adds a chunk and calls `event` with each event that it completes, decoded with the labels and annotations that are
    /// wanted.
    ///
    /// # Errors
    /// The stream is not of its form; the events before that are complete.
    pub fn push<T: Watched>(
        &mut self,
        chunk: &[u8],
        wanted: Option<&Wanted>,
        mut event: impl FnMut(Result<WatchEvent<T>, DecodeError>),
    ) -> Result<(), BrokenStream> {
        match self {
            EventReader::Lines(lines) => {
                lines.push(chunk, |line| match line {
                    Line::Whole([]) => {}
                    Line::Whole(line) => event(watch_line_with(line, wanted)),
                    Line::TooLong => event(Err(DecodeError::LineTooLong)),
                });
                Ok(())
            }
            EventReader::Frames(frames) => frames.push(chunk, |frame| {
                match frame {
                    Frame::Whole([]) => {}
                    Frame::Whole(frame) => match watch_frame(frame, wanted) {
                        Ok(read) => event(Ok(read)),
                        Err(FrameError::Event(problem)) => event(Err(problem)),
                        Err(FrameError::Broken(problem)) => return Err(BrokenStream(problem)),
                    },
                    Frame::TooLong => event(Err(DecodeError::LineTooLong)),
                }
                Ok(())
            }),
        }
    }

    /// The form of the events.
    pub fn format(&self) -> WireFormat {
        match self {
            EventReader::Lines(_) => WireFormat::Json,
            EventReader::Frames(_) => WireFormat::Protobuf,
        }
    }

    /// True if the stream ended inside an event.
    pub fn is_cut(&self) -> bool {
        match self {
            EventReader::Lines(lines) => lines.is_cut(),
            EventReader::Frames(frames) => frames.is_cut(),
        }
    }
}
