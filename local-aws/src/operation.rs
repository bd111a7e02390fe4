//! The declaration of an operation: the one place that names it.
//!
//! A service is a cheap handle ([`Service`]) with one array of [`Operation`]s. The array yields dispatch, the error for an
//! unknown operation, body limits, metric labels, lines of the activity log, and the table in docs/operations.md. Nothing else
//! lists operations.
//!
//! An operation is a function over the service and its typed input. A constructor per protocol reads the input and writes the
//! answer:
//!
//! | constructor | protocol | handler |
//! |---|---|---|
//! | [`Operation::json`], [`Operation::json_async`] | JSON 1.1, CBOR | `fn(&S, Input) -> Result<Output, AwsError>`, `async fn(S, Input)` |
//! | [`Operation::query`] | query (IAM, STS) | `fn(&S, Input) -> Result<Xml or (), AwsError>` |
//! | [`Operation::rest`], [`Operation::rest_async`] | REST-JSON | as `new`, with a route: `GET /path/{Member}` |
//! | [`Operation::new`], [`Operation::new_async`] | any | `fn(&S, &Request)`, `async fn(S, Request)`, which return a response |
//!
//! ```ignore
//! // logs/retention.rs: the operation's file
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! pub(super) struct PutRetentionPolicy {
//!     log_group_name: String,
//!     retention_in_days: u32,
//! }
//!
//! pub(super) fn put_retention_policy(logs: &Logs, input: PutRetentionPolicy) -> Result<(), AwsError> { … }
//!
//! // logs.rs: its line in the service's array
//! impl Service for Logs {
//!     const NAME: ServiceName = ServiceName::Logs;
//!
//!     fn operations() -> &'static [Operation<Self>] {
//!         static OPERATIONS: LazyLock<Vec<Operation<Logs>>> = LazyLock::new(|| {
//!             vec![
//!                 Operation::json("CreateLogGroup", create_log_group).logs("log group created", &["logGroupName"]),
//!                 Operation::json("GetLogEvents", get_log_events).read_only().blocking(),
//!                 Operation::json("PutLogEvents", put_log_events).body_limit(8 * MIB),
//!                 Operation::json("PutRetentionPolicy", put_retention_policy),
//!             ]
//!         });
//!         &OPERATIONS
//!     }
//! }
//! ```

mod activity;
mod declaration;
mod json;
mod metadata;
mod query;
mod request;
mod route;
#[cfg(test)]
pub mod tests;
mod xml;

pub use activity::activity_line;
pub use declaration::{Operation, Service, answer};
#[cfg(test)]
pub use declaration::{answer_now, find};
pub use json::JsonService;
pub use metadata::{MIB, Metadata, ServiceName, UNKNOWN_OPERATION};
pub use query::QueryService;
pub use request::{Caller, Request};
pub use route::Route;
pub use xml::Xml;
