//! A request's body that was not read when the answer was ready: a refusal needs only the head.
//!
//! Clients do not stop sending because an answer comes. Over HTTP/2, hyper resets the stream without an error code, which is
//! what RFC 9113 says, and curl takes that for a failure; over HTTP/1.1 the connection is closed under the client. So the
//! rest is read and dropped before the answer is sent, within limits.

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

/// Bytes that are read and dropped, at most: a little more than the largest body of an operation.
const MAX_BYTES: usize = 72 * 1024 * 1024;
/// How long that may take.
const LONGEST: Duration = Duration::from_secs(5);
/// How long nothing may come in between.
const PAUSE: Duration = Duration::from_millis(500);

/// A body that comes back from whoever drops it before its end.
pub struct Lent {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// What is left of a [`Lent`] body.
pub struct Unread {
    rest: oneshot::Receiver<Incoming>,
    waits_for_continue: bool,
}

pub fn lend(body: Incoming, version: Version, headers: &HeaderMap) -> (Lent, Unread) {
    let (back, rest) = oneshot::channel();
    // Reading would have hyper tell the client to go on.
    let waits_for_continue = version < Version::HTTP_2 && headers.contains_key(header::EXPECT);
    (Lent { body: Some(body), back: Some(back) }, Unread { rest, waits_for_continue })
}

impl Unread {
    /// Reads the rest, if there is one, before an answer of this status is sent.
    pub async fn drain(mut self, status: StatusCode) {
        // A body that was too slow is not waited for again.
        if self.waits_for_continue || status == StatusCode::REQUEST_TIMEOUT {
            return;
        }
        let Ok(body) = self.rest.try_recv() else { return };
        tokio::time::timeout(LONGEST, drain(body)).await.ok();
    }
}

async fn drain(mut body: Incoming) {
    let mut left = MAX_BYTES;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(less) = left.checked_sub(bytes) else { return };
        left = less;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            back.send(body).ok();
        }
    }
}

impl HttpBody for Lent {
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
