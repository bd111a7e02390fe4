//! The listener, and limits on the number and duration of connections. A misbehaving client affects only its own
//! connection.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tower::ServiceExt;

use super::unread_body::observe;
use crate::config::Limits;
use crate::peer::ClientSocket;

/// The time that open connections have to end when the endpoint stops.
const DRAIN: Duration = Duration::from_secs(2);

/// A connection does not count as idle this soon after it was opened or a response was sent.
const GRACE: Duration = Duration::from_millis(100);

const SECOND: Duration = Duration::from_secs(1);

/// The sender of a connection's requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Whether a process of the user that runs this process sent them.
    pub is_own: bool,
}

/// Serves `router` until `stop` resolves. Then requests in progress have two seconds to finish.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let mut connections = Connections { tasks: JoinSet::new(), open: Vec::new(), limit: limits.connections };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                stream.set_nodelay(true).ok();
                set_unread_timeout(&stream, limits.unread);
                tokio::select! {
                    () = &mut stop => break,
                    () = connections.room() => {}
                }
                connections
                    .spawn(|activity| connection(stream, peer, router.clone(), limits, activity, stopped.clone()));
            }
            Err(error) => {
                // The process is probably out of descriptors, and waiting alone would not free one.
                tracing::warn!(%error, "a connection could not be accepted");
                connections.close_longest_idle();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    stopping.send_replace(true);
    // A client that keeps its connection open (a subscription, a live tail) does not keep the endpoint running.
    let drained = async { while connections.tasks.join_next().await.is_some() {} };
    tokio::time::timeout(DRAIN, drained).await.ok();
}

/// Has the kernel close a connection whose client reads nothing for this long, even if the client is alive and keeps
/// its receive window closed.
fn set_unread_timeout(stream: &TcpStream, unread: Duration) {
    let milliseconds = u32::try_from(unread.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds).ok();
}

struct Connections {
    tasks: JoinSet<()>,
    open: Vec<(AbortHandle, Arc<Activity>)>,
    limit: usize,
}

impl Connections {
    /// Waits until there is room for one more connection.
    async fn room(&mut self) {
        while self.open.len() >= self.limit {
            while self.tasks.try_join_next().is_some() {}
            self.open.retain(|(task, _)| !task.is_finished());
            if self.open.len() >= self.limit && !self.close_longest_idle() {
                tokio::time::timeout(GRACE, self.tasks.join_next()).await.ok();
            }
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&mut self, connection: impl FnOnce(Arc<Activity>) -> F) {
        let activity = Arc::new(Activity::default());
        let task = self.tasks.spawn(connection(Arc::clone(&activity)));
        self.open.push((task, activity));
    }

    /// Closes the connection that has been idle longest. Returns whether there was one.
    fn close_longest_idle(&mut self) -> bool {
        let idle =
            self.open.iter().enumerate().filter_map(|(index, (_, activity))| Some((activity.idle_since()?, index)));
        let longest = idle.min().filter(|(since, _)| since.elapsed() >= GRACE);
        let Some((_, index)) = longest else { return false };
        self.open.swap_remove(index).0.abort();
        true
    }
}

/// The requests in progress of a connection, and the time of its last activity.
struct Activity {
    requests: AtomicUsize,
    last: Mutex<Instant>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { requests: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Activity {
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.requests.load(Ordering::Relaxed) == 0;
        is_idle.then(|| *self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A request in progress, from its head to the last byte of its response.
struct RequestInProgress(Arc<Activity>);

impl RequestInProgress {
    fn on(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.0.touch();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one connection until it ends.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    activity: Arc<Activity>,
    mut stopped: watch::Receiver<bool>,
) {
    let from = Peer { is_own: ClientSocket::of(&stream).is_some_and(ClientSocket::is_own) };
    let service = service_fn(|mut request: Request<Incoming>| {
        let in_progress = RequestInProgress::on(&activity);
        request.extensions_mut().insert(from);
        let (parts, body) = request.into_parts();
        let (body, unread) = observe(body, parts.version, &parts.headers);
        let answered = router.clone().oneshot(Request::from_parts(parts, body));
        async move {
            let answer: Response<Body> = answered.await.unwrap_or_else(|never| match never {});
            unread.drain(answer.status()).await;
            Ok::<_, std::convert::Infallible>(answer.map(|body| ResponseBody { body, _in_progress: in_progress }))
        }
    });
    let server = server(limits);
    let mut served = pin!(server.serve_connection(TokioIo::new(stream), service));
    let mut ending = false;
    loop {
        // hyper's timeout for heads starts when it has detected the version of HTTP, which may never happen.
        let deadline = match activity.idle_since() {
            _ if ending => Instant::now() + SECOND,
            Some(since) => since + limits.head + SECOND,
            None => Instant::now() + limits.head,
        };
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, error, "a connection failed");
                }
                return;
            }
            () = tokio::time::sleep_until(deadline.into()) => {
                let is_idle = activity.idle_since().is_some_and(|since| since + limits.head <= Instant::now());
                if ending && is_idle {
                    return;
                }
                ending |= is_idle;
            }
            _ = stopped.changed() => ending = true,
        }
        if ending {
            served.as_mut().graceful_shutdown();
        }
    }
}

fn server(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    let timer = TokioTimer::new();
    // The whole head is in the buffer, so the size of the buffer limits the head.
    server.http1().timer(timer.clone()).header_read_timeout(limits.head).max_buf_size(limits.head_bytes);
    let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    server.http2().timer(timer).keep_alive_interval(limits.head).max_header_list_size(head_bytes);
    server
}

/// The body of a response. Its connection is not idle until it ends.
struct ResponseBody {
    body: Body,
    _in_progress: RequestInProgress,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
