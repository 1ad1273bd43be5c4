//! Scripted replies.

use std::time::Duration;

/// The treatment of a request instead of the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptedReply {
    /// Discard the data and respond with this. Over gRPC this is the response of a proxy, not of the server.
    Response {
        /// The status code.
        status: u16,
        /// Headers, such as `retry-after` and `content-type`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Accept the data and respond with this, as if the acknowledgement were lost or odd.
    AcceptAndRespond {
        /// The status code.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Close the connection, or over gRPC the stream, without a response.
    DropConnection,
    /// Do nothing until the client closes the connection or the intake stops.
    Hang,
    /// Wait, then treat the request as usual.
    Delay(Duration),
    /// Respond with this status and add the data to what was [refused](super::OtlpIntake::refused_after): for responses
    /// after which a client does not retry.
    Refuse {
        /// The status code.
        status: u16,
    },
    /// Respond with a partial success: refuse the first items, up to this many, and accept the others.
    Reject(usize),
    /// Accept the data, then do nothing until the client closes the connection or the intake stops.
    AcceptAndHang,
    /// Discard the data and respond with a gRPC status. Over HTTP, with the equivalent status, and the delay as
    /// `Retry-After`.
    Status {
        /// The number of the code: 14 is UNAVAILABLE.
        code: i32,
        /// The message.
        message: String,
        /// The delay of `RetryInfo`.
        retry: Option<Duration>,
    },
    /// Discard the data and respond with a body that never ends.
    Endless,
    /// Treat the request as usual, but send the body byte by byte, over this time. The response to an accepted request has
    /// a warning in its partial success, so that there is a body.
    Trickle(Duration),
}

impl ScriptedReply {
    /// An empty response with this status.
    pub fn status(status: u16) -> ScriptedReply {
        ScriptedReply::Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A gRPC status.
    pub fn code(code: i32, message: &str) -> ScriptedReply {
        ScriptedReply::Status {
            code,
            message: message.into(),
            retry: None,
        }
    }

    /// Sets the delay of a gRPC status; no effect on other replies.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> ScriptedReply {
        if let ScriptedReply::Status { retry, .. } = &mut self {
            *retry = Some(delay);
        }
        self
    }

    /// Adds a header to a response; no effect on other replies.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> ScriptedReply {
        if let ScriptedReply::Response { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sets the body of a response; no effect on other replies.
    #[must_use]
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> ScriptedReply {
        if let ScriptedReply::Response { body, .. } = &mut self {
            *body = content.into();
        }
        self
    }

    /// The same response, but the data is accepted.
    #[must_use]
    pub fn but_accept(self) -> ScriptedReply {
        match self {
            ScriptedReply::Response { status, headers, body } => {
                ScriptedReply::AcceptAndRespond { status, headers, body }
            }
            other => other,
        }
    }
}
