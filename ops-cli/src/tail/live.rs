//! Live Tail sessions, which report events every second as they arrive. A session is renewed before its three hours end, and
//! restarted when it breaks off.
//!
//! A session loses events while it is down and samples them above 500 per second, so that it only adds speed. `session`
//! polls as well, and reads again whenever a Live Tail session begins.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::ConfigBag;
use aws_sdk_cloudwatchlogs::config::Intercept;
use aws_sdk_cloudwatchlogs::config::RuntimeComponents;
use aws_sdk_cloudwatchlogs::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_cloudwatchlogs::operation::start_live_tail::StartLiveTailOutput;
use aws_sdk_cloudwatchlogs::types::{LiveTailSessionLogEvent, StartLiveTailResponseStream};
use aws_smithy_runtime_api::box_error::BoxError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::catalog::LogGroup;
use super::event::Event;
use super::sweep::Query;
use crate::aws::Aws;
use crate::error::cause;

/// The most log groups of one session.
pub const MOST_GROUPS: usize = 10;
/// A session lasts three hours.
const RENEWED_AFTER: Duration = Duration::from_secs(3 * 3600 - 300);
/// The most updates that wait while pages are read. Polling finds the events of dropped updates.
const WAITING_UPDATES: usize = 64;
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An update from a session.
#[derive(Debug)]
pub enum Update {
    /// A session began: the first one, or a later one.
    Began,
    Events {
        events: Vec<Event>,
        is_sampled: bool,
    },
    /// The session broke off and will be restarted.
    Broke(String),
    /// The service refuses sessions.
    Refused(String),
}

/// Sessions on some log groups, which end when this is dropped.
pub struct Live {
    updates: mpsc::Receiver<Update>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Live {
    pub fn begin(aws: &Aws, groups: Vec<LogGroup>, query: Arc<Query>) -> Self {
        let (sender, updates) = mpsc::channel(WAITING_UPDATES);
        let sessions = Sessions {
            client: aws.logs(),
            strips_host_prefix: aws.has_own_endpoint(),
            groups: groups.into(),
            query,
            sender,
        };
        Self { updates, task: tokio::spawn(sessions.run()) }
    }

    /// Returns the next update. Never resolves if there will be none.
    pub async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            None => std::future::pending().await,
        }
    }
}

struct Sessions {
    client: Client,
    strips_host_prefix: bool,
    groups: Arc<[LogGroup]>,
    query: Arc<Query>,
    sender: mpsc::Sender<Update>,
}

/// The end of a session.
enum End {
    Renew,
    Broke(String),
    NobodyListens,
}

impl Sessions {
    async fn run(self) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let broke = match self.open().await {
                Ok(session) => {
                    let began = Instant::now();
                    if self.sender.send(Update::Began).await.is_err() {
                        return;
                    }
                    match self.forward(session).await {
                        End::NobodyListens => return,
                        End::Renew => continue,
                        End::Broke(cause) => {
                            if began.elapsed() > LONGEST_PAUSE {
                                pause = SHORTEST_PAUSE;
                            }
                            cause
                        }
                    }
                }
                Err(Refusal { cause, is_permanent: true }) => {
                    self.sender.send(Update::Refused(cause)).await.ok();
                    return;
                }
                Err(Refusal { cause, .. }) => cause,
            };
            if self.sender.send(Update::Broke(broke)).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open(&self) -> Result<StartLiveTailOutput, Refusal> {
        let Query { filter, stream_prefix, .. } = &*self.query;
        let arns = self.groups.iter().map(|group| group.arn.clone()).collect();
        let request = self
            .client
            .start_live_tail()
            .set_log_group_identifiers(Some(arns))
            .set_log_event_filter_pattern(filter.clone())
            .set_log_stream_name_prefixes(stream_prefix.clone().map(|prefix| vec![prefix]))
            .customize();
        let request = if self.strips_host_prefix { request.interceptor(NoHostPrefix) } else { request };
        request.send().await.map_err(|error| {
            let is_answer = error.raw_response().is_some_and(|answer| (400..500).contains(&answer.status().as_u16()));
            let cause = cause(&error);
            Refusal { is_permanent: is_answer && !cause.contains("Throttl"), cause }
        })
    }

    /// Forwards the events of a session until it ends.
    async fn forward(&self, session: StartLiveTailOutput) -> End {
        let mut stream = session.response_stream;
        let renewal = tokio::time::sleep(RENEWED_AFTER);
        tokio::pin!(renewal);
        loop {
            let received = tokio::select! {
                received = stream.recv() => received,
                () = &mut renewal => return End::Renew,
                () = self.sender.closed() => return End::NobodyListens,
            };
            match received {
                Ok(Some(StartLiveTailResponseStream::SessionUpdate(update))) => {
                    let is_sampled = update.session_metadata.is_some_and(|metadata| metadata.sampled);
                    let events = update.session_results.unwrap_or_default();
                    let events: Vec<Event> = events.into_iter().filter_map(|event| self.event(event)).collect();
                    if !events.is_empty() {
                        // If the channel is full, the update is dropped. Polling finds its events.
                        self.sender.try_send(Update::Events { events, is_sampled }).ok();
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return End::Broke("the service ended the session".to_owned()),
                Err(error) => return End::Broke(crate::error::chain(&error)),
            }
        }
    }

    fn event(&self, event: LiveTailSessionLogEvent) -> Option<Event> {
        // For example "123456789012:/aws/lambda/orders".
        let identifier = event.log_group_identifier.unwrap_or_default();
        let name = identifier.rsplit(':').next().unwrap_or_default();
        let group = self.groups.iter().find(|group| group.name == name)?;
        Some(Event {
            timestamp: event.timestamp.unwrap_or_default(),
            ingestion_time: event.ingestion_time.unwrap_or_default(),
            log_group: group.name.as_str().into(),
            log_stream: event.log_stream_name.unwrap_or_default(),
            event_id: None,
            late: false,
            message: event.message.unwrap_or_default(),
        })
    }
}

struct Refusal {
    cause: String,
    is_permanent: bool,
}

/// Removes the prefix that the SDK adds to the host name, because a custom endpoint has no such host.
#[derive(Debug)]
struct NoHostPrefix;

impl Intercept for NoHostPrefix {
    fn name(&self) -> &'static str {
        "NoHostPrefix"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri().replacen("://stream-", "://", 1);
        context.request_mut().set_uri(uri)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Aws;
    use crate::endpoint::InProcessEndpoint;
    use crate::tail::catalog;
    use crate::tail::groups::GroupPattern;

    /// The endpoint has a runtime and a clock of its own, so that the clock of the sessions can be advanced.
    #[test]
    fn a_session_is_renewed_before_its_three_hours_end() {
        let serving = tokio::runtime::Runtime::new().unwrap();
        let global = crate::arguments::parse(["ops-cli", "tail"].map(Into::into)).unwrap().global;
        let endpoint = serving.block_on(InProcessEndpoint::start(&global)).unwrap();
        let running = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        running.block_on(async {
            let aws = Aws::connect(&endpoint.global(&global)).await.unwrap();
            aws.logs().create_log_group().log_group_name("g").send().await.unwrap();
            let groups = catalog::matching(&aws, &GroupPattern("g".into())).await.unwrap();
            let mut live = Live::begin(&aws, groups, Arc::default());
            assert!(matches!(live.next().await, Update::Began));
            for _ in 0..3 {
                tokio::time::pause();
                tokio::time::advance(Duration::from_secs(3 * 3600 - 60)).await;
                tokio::time::resume();
                let renewed = live.next().await;
                assert!(matches!(renewed, Update::Began), "{renewed:?}");
            }
        });
        serving.block_on(endpoint.stop()).unwrap();
    }
}
