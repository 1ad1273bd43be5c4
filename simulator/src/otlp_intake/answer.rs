//! Scripted answers.

use std::time::Duration;

/// What to do with a request instead of taking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Answer with this, and keep nothing. Over gRPC this is what a proxy would say, not the server.
    Response {
        /// The status code.
        status: u16,
        /// Headers, such as `retry-after` and `content-type`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Keep the data but answer with this, as an intake whose confirmation is odd or gets lost.
    TakeAndRespond {
        /// The status code.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Close the connection, or over gRPC the stream, without an answer.
    DropConnection,
    /// Do nothing until the client goes away or the intake stops.
    Hang,
    /// Wait, then treat the request as usual.
    Delay(Duration),
    /// Answer with this status and keep the data among what was [refused](super::OtlpIntake::refused): for answers after
    /// which nobody sends it again.
    Refuse {
        /// The status code.
        status: u16,
    },
    /// A partial success: refuse the first items, up to this many, and take the others.
    Reject(usize),
    /// Keep the data, and do nothing until the client goes away or the intake stops: the confirmation is lost.
    TakeAndHang,
    /// Answer with a gRPC status, and keep nothing. Over HTTP, with the status that stands for it, and the delay as
    /// `Retry-After`.
    Status {
        /// The code's number: 14 is UNAVAILABLE.
        code: i32,
        /// The message.
        message: String,
        /// The delay of `RetryInfo`.
        retry: Option<Duration>,
    },
    /// Keep nothing, and answer with a body that never ends.
    Endless,
    /// Treat the request as usual, but send the body of the answer byte by byte, in this time. An accepted request is
    /// answered with a warning in its partial success, so that there is a body.
    Trickle(Duration),
}

impl Answer {
    /// An empty answer with this status.
    pub fn status(status: u16) -> Answer {
        Answer::Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A gRPC status.
    pub fn code(code: i32, message: &str) -> Answer {
        Answer::Status {
            code,
            message: message.into(),
            retry: None,
        }
    }

    /// The same status, with the wait that it asks for. Only gRPC statuses ask for one.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Answer {
        if let Answer::Status { retry, .. } = &mut self {
            *retry = Some(delay);
        }
        self
    }

    /// The same answer with one more header. Only responses have headers.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Response { headers, .. } | Answer::TakeAndRespond { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same answer with this body. Only responses have a body.
    #[must_use]
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Answer {
        if let Answer::Response { body, .. } | Answer::TakeAndRespond { body, .. } = &mut self {
            *body = content.into();
        }
        self
    }

    /// The same answer, but the data is kept.
    #[must_use]
    pub fn but_take(self) -> Answer {
        match self {
            Answer::Response { status, headers, body } => Answer::TakeAndRespond { status, headers, body },
            other => other,
        }
    }
}
