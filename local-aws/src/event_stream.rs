//! Streamed responses: frames of `application/vnd.amazon.eventstream`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{Response, header};
use http_body::Frame;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

/// The first frame of a JSON 1.1 response. It would contain the members outside of the stream, but there are none.
pub fn initial_response() -> Bytes {
    let headers = [(":message-type", "event"), (":event-type", "initial-response")];
    frame(headers, "application/x-amz-json-1.1", &json!({}))
}

/// A frame with an event.
pub fn event(kind: &'static str, payload: &impl Serialize) -> Bytes {
    frame([(":message-type", "event"), (":event-type", kind)], "application/json", payload)
}

/// A frame with an error, which ends the stream.
pub fn exception(kind: &'static str, message: &str) -> Bytes {
    let headers = [(":message-type", "exception"), (":exception-type", kind)];
    frame(headers, "application/json", &json!({ "message": message }))
}

/// Builds a response whose body consists of the received frames. It ends when the sender is dropped.
pub fn response(frames: mpsc::Receiver<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Frames(frames)));
    let content_type = http::HeaderValue::from_static("application/vnd.amazon.eventstream");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn frame(headers: [(&'static str, &'static str); 2], content_type: &'static str, payload: &impl Serialize) -> Bytes {
    let payload = serde_json::to_vec(payload).expect("streamed values have string keys and serialize");
    message(headers.into_iter().chain([(":content-type", content_type)]), payload)
}

/// Encodes a frame with these headers.
pub fn message(headers: impl IntoIterator<Item = (&'static str, &'static str)>, payload: impl Into<Bytes>) -> Bytes {
    let header = |(name, value): (&'static str, &'static str)| Header::new(name, HeaderValue::String(value.into()));
    let message = headers.into_iter().map(header).fold(Message::new(payload), Message::add_header);
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).expect("headers are short, and a payload is below the 16 MiB of a frame");
    bytes.into()
}

struct Frames(mpsc::Receiver<Bytes>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
    }
}
