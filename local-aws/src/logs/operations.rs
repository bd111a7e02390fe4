//! The operations of CloudWatch Logs.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Logs, read_input};
use crate::encoding::Encoding;
use crate::error::AwsError;
use crate::event_stream;
use crate::operation::{JsonService, MIB, Operation, Request, Service, ServiceName};

impl Service for Logs {
    const NAME: ServiceName = ServiceName::Logs;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Logs>>> = LazyLock::new(|| {
            vec![
                Operation::json("AssociateKmsKey", Logs::associate_kms_key),
                Operation::json("CreateLogGroup", Logs::create_log_group).logs("log group created", &["logGroupName"]),
                Operation::json("CreateLogStream", Logs::create_log_stream),
                Operation::json("DeleteLogGroup", Logs::delete_log_group).logs("log group deleted", &["logGroupName"]),
                Operation::json("DeleteLogStream", Logs::delete_log_stream),
                Operation::json("DeleteRetentionPolicy", Logs::delete_retention_policy),
                Operation::json("DescribeLogGroups", Logs::describe_log_groups).read_only(),
                Operation::json("DescribeLogStreams", Logs::describe_log_streams).read_only(),
                Operation::json("DescribeMetricFilters", Logs::describe_metric_filters).read_only(),
                Operation::json("DescribeResourcePolicies", Logs::describe_resource_policies).read_only(),
                Operation::json("DescribeSubscriptionFilters", Logs::describe_subscription_filters).read_only(),
                Operation::json("DisassociateKmsKey", Logs::disassociate_kms_key),
                // Reads the disk, or millions of events.
                Operation::json("FilterLogEvents", Logs::filter_log_events).read_only().blocking(),
                Operation::json("GetLogEvents", Logs::get_log_events).read_only().blocking(),
                Operation::json("ListLogGroups", Logs::list_log_groups).read_only(),
                Operation::json("ListTagsForResource", Logs::list_tags_for_resource).read_only(),
                Operation::json("ListTagsLogGroup", Logs::list_tags_log_group).read_only(),
                // 1 MiB of messages, in which every byte may be escaped.
                Operation::json("PutLogEvents", Logs::put_log_events).body_limit(8 * MIB),
                Operation::json("PutLogGroupDeletionProtection", Logs::put_deletion_protection),
                Operation::json("PutRetentionPolicy", Logs::put_retention_policy),
                // Starts a task, so it runs on a thread of the runtime.
                Operation::new_async("StartLiveTail", |logs: Logs, request: Request| async move {
                    logs.start_live_tail(&request.body).map(event_stream::response)
                })
                .read_only(),
                Operation::json("TagLogGroup", Logs::tag_log_group),
                Operation::json("TagResource", Logs::tag_resource),
                Operation::json("UntagLogGroup", Logs::untag_log_group),
                Operation::json("UntagResource", Logs::untag_resource),
            ]
        });
        &OPERATIONS
    }
}

impl JsonService for Logs {
    /// JSON, whatever the request's content type is.
    fn encoding(_: &Request) -> Result<Encoding, AwsError> {
        Ok(Encoding::Json)
    }

    fn read<I: DeserializeOwned>(operation: &str, _: Encoding, body: &[u8]) -> Result<I, AwsError> {
        read_input(operation, body)
    }

    fn write<O: Serialize>(_: Encoding, output: &O) -> Result<Response<Bytes>, AwsError> {
        let failed = |error: serde_json::Error| AwsError::new(500, "ServiceUnavailableException", error.to_string());
        let body = serde_json::to_vec(output).map_err(failed)?;
        // An operation without output answers an empty object.
        let body = if body == b"null" { Bytes::from_static(b"{}") } else { body.into() };
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        Ok(response)
    }
}
