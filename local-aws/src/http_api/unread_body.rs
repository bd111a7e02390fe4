//! Drains a request's body that was not read when the response is ready, for example because the head was rejected.
//!
//! A client does not stop sending when a response arrives. Over HTTP/2, hyper resets the stream without an error code,
//! as RFC 9113 requires, and curl reports a failure. Over HTTP/1.1, the connection is closed while the client sends. So
//! the rest is read and discarded before the response is sent, within limits.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::oneshot;

/// The most bytes that are discarded: slightly more than the largest body of an operation.
const MAX_BYTES: usize = 72 * 1024 * 1024;
/// The longest time for discarding.
const MAX_DURATION: Duration = Duration::from_secs(5);
/// The longest pause between two frames.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// A body that is sent to its [`UnreadBody`] if it is dropped before its end.
pub struct ObservedBody {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// The unread rest of an [`ObservedBody`].
pub struct UnreadBody {
    rest: oneshot::Receiver<Incoming>,
    waits_for_continue: bool,
}

pub fn observe(body: Incoming, version: Version, headers: &HeaderMap) -> (ObservedBody, UnreadBody) {
    let (back, rest) = oneshot::channel();
    // Reading would make hyper ask the client to continue.
    let waits_for_continue = version < Version::HTTP_2 && headers.contains_key(header::EXPECT);
    (ObservedBody { body: Some(body), back: Some(back) }, UnreadBody { rest, waits_for_continue })
}

impl UnreadBody {
    /// Discards the rest, if there is one, before a response with this status is sent.
    pub async fn drain(mut self, status: StatusCode) {
        // The server does not wait again for a body that was too slow.
        if self.waits_for_continue || status == StatusCode::REQUEST_TIMEOUT {
            return;
        }
        let Ok(body) = self.rest.try_recv() else { return };
        tokio::time::timeout(MAX_DURATION, drain(body)).await.ok();
    }
}

async fn drain(mut body: Incoming) {
    let mut left = MAX_BYTES;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(MAX_PAUSE, body.frame()).await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(less) = left.checked_sub(bytes) else { return };
        left = less;
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            back.send(body).ok();
        }
    }
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
