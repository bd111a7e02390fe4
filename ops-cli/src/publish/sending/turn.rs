//! Turns of requests to one shard. The next request is written, signed and uploaded, except for the last byte of its body,
//! while the one before it is in flight. A service executes no request that is incomplete, so that the order of the two is
//! certain.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_kinesis::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::Instant;

/// A request's turn, which ends when it is dropped.
#[derive(Debug)]
pub struct Turn(watch::Sender<Option<Instant>>);

impl Turn {
    pub fn new() -> (Self, TurnEnd) {
        let (turn, end) = watch::channel(None);
        (Self(turn), TurnEnd(end))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.send_replace(Some(Instant::now()));
    }
}

/// The end of a turn, which the next request waits for.
#[derive(Debug, Clone)]
pub struct TurnEnd(watch::Receiver<Option<Instant>>);

impl TurnEnd {
    /// The time at which the turn ended, if it did.
    pub fn time(&self) -> Option<Instant> {
        *self.0.borrow()
    }

    pub async fn wait(mut self) {
        // An error means that the turn was dropped, which ended it.
        self.0.wait_for(Option::is_some).await.ok();
    }
}

/// Holds back the last byte of a signed request.
#[derive(Debug)]
pub struct HoldLastByte(pub TurnEnd);

impl Intercept for HoldLastByte {
    fn name(&self) -> &'static str {
        "HoldLastByte"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        if let Some(bytes) = body.bytes().filter(|bytes| !bytes.is_empty()) {
            *body = SdkBody::from_body_1_x(HeldBody::new(Bytes::copy_from_slice(bytes), self.0.clone()));
        }
        Ok(())
    }
}

struct HeldBody {
    first: Bytes,
    last: Bytes,
    turn_end: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl HeldBody {
    fn new(mut bytes: Bytes, turn_end: TurnEnd) -> Self {
        let last = bytes.split_off(bytes.len() - 1);
        Self { first: bytes, last, turn_end: Box::pin(turn_end.wait()) }
    }
}

impl Body for HeldBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        if self.last.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.turn_end.as_mut().poll(context));
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.last)))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.last.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.first.len() + self.last.len()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn the_last_byte_is_sent_after_the_end_of_the_turn() {
        let (turn, end) = Turn::new();
        let mut body = HeldBody::new(Bytes::from_static(b"abc"), end.clone());
        assert_eq!(body.size_hint().exact(), Some(3));
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(tokio::time::timeout(std::time::Duration::ZERO, next()).await.is_err(), "the turn is not over");
        assert!(end.time().is_none());
        drop(turn);
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "c");
        assert!(next().await.is_none() && end.time().is_some());
    }
}
