//! Lambda: functions, their processes behind the Runtime API, and event source mappings.

mod elf;
mod names;
pub mod package;
mod platform;
mod routes;
mod validation;

use bytes::Bytes;
use http::{Request, Response};

use crate::http_api::AwsError;

#[derive(Clone)]
pub struct Lambda;

impl Lambda {
    pub fn new(
        config: crate::Config,
        kinesis: crate::kinesis::Kinesis,
        logs: crate::logs::Logs,
        identity: crate::identity::Identity,
    ) -> Self {
        let _ = (config, kinesis, logs, identity);
        Self
    }

    pub async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        Err(AwsError::bad_request("UnknownOperationException", request.uri().path()))
    }

    pub async fn shutdown(&self) {}
}
