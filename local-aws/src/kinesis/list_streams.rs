//! ListStreams.

use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Kinesis, describe_stream, page_token};
use crate::error::AwsError;

/// The most names of a page without a limit (Kinesis API, ListStreams).
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListStreams {
    limit: Option<usize>,
    exclusive_start_stream_name: Option<String>,
    next_token: Option<String>,
}

pub fn list_streams(kinesis: &Kinesis, request: ListStreams) -> Result<Value, AwsError> {
    let limit = request.limit.unwrap_or(PAGE);
    let listing = kinesis.stream_arn("");
    let after = match request.next_token {
        Some(token) => Some(page_token::decode(&listing, &token)?),
        None => request.exclusive_start_stream_name,
    };
    let mut page: Vec<_> = {
        let streams = kinesis.shared.streams.read().unwrap_or_else(PoisonError::into_inner);
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let following = streams.range((after, Bound::Unbounded));
        following.map(|(_, stream)| Arc::clone(stream)).take(limit + 1).collect()
    };
    let has_more = page.len() > limit;
    page.truncate(limit);
    let names: Vec<_> = page.iter().map(|stream| stream.name.as_str()).collect();
    let summaries: Vec<_> = page.iter().map(|stream| describe_stream::summary(stream, &stream.state())).collect();
    let mut answer = json!({ "StreamNames": names, "HasMoreStreams": has_more, "StreamSummaries": summaries });
    if let Some(last) = names.last().filter(|_| has_more) {
        answer["NextToken"] = page_token::encode(&listing, last).into();
    }
    Ok(answer)
}
