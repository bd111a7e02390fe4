//! Creates and changes the event source mapping.

use aws_sdk_lambda::primitives::DateTime;
use aws_sdk_lambda::types::{
    DestinationConfig, EventSourceMappingMetric, EventSourceMappingMetricsConfig, EventSourcePosition, Filter,
    FilterCriteria, FunctionResponseType, OnFailure,
};
use jiff::Timestamp;

use super::Applier;
use crate::error::{Error, Result};
use crate::progress::ProgressStep;
use crate::provision::consumer;
use crate::provision::desired::DesiredPath;
use crate::provision::kind::NONE;
use crate::provision::observed::{PartState, mapping, mapping_state};
use crate::provision::setting::Part;
use crate::provision::step::Change;
use crate::wait::Poll;

impl Applier<'_> {
    pub(super) async fn create_mapping(&self, progress: &ProgressStep) -> Result<()> {
        let desired = self.desired;
        let target = self.target(Part::Mapping);
        let source = match target.bool("fan-out") {
            Some(true) => self.register_consumer(progress).await?,
            _ => desired.names.stream_arn(&desired.location),
        };
        let request = self
            .aws
            .lambda()
            .create_event_source_mapping()
            .function_name(target.text("function").unwrap_or_default())
            .event_source_arn(source)
            .set_starting_position(target.text("starting-position").map(EventSourcePosition::from))
            .set_starting_position_timestamp(target.text("starting-timestamp").and_then(timestamp))
            .set_enabled(target.bool("enabled"))
            .set_batch_size(target.integer("batch-size"))
            .set_maximum_batching_window_in_seconds(target.integer("batch-window"))
            .set_parallelization_factor(target.integer("parallelization-factor"))
            .set_maximum_retry_attempts(target.integer("retries"))
            .set_maximum_record_age_in_seconds(target.integer("max-record-age"))
            .set_bisect_batch_on_function_error(target.bool("bisect"))
            .set_tumbling_window_in_seconds(target.integer("tumbling-window"))
            .set_function_response_types(self.response_types())
            .set_filter_criteria(self.filters())
            .set_destination_config(self.destination())
            .set_metrics_config(self.metrics())
            .set_tags(Some(desired.all_tags().into_iter().collect()));
        let request = self.change("map the stream to the function", progress, || request.clone().send());
        let created = self.create(Part::Mapping, request).await?;
        let uuid = match created.as_ref().and_then(|mapping| mapping.uuid()) {
            Some(uuid) => uuid.to_owned(),
            None => {
                let found = mapping(self.aws, &desired.names, &desired.location).await?;
                found.ok_or_else(|| Error::failed("the event source mapping was created, but is not found"))?.id
            }
        };
        self.await_mapping(progress, &uuid).await?;
        self.settle(created.is_some(), Part::Mapping, &uuid).await
    }

    /// Registers the consumer of the mapping, waits until it can be read, and returns its ARN.
    async fn register_consumer(&self, progress: &ProgressStep) -> Result<String> {
        let DesiredPath { names, location, .. } = self.desired;
        let request = self.aws.kinesis().register_stream_consumer().stream_arn(names.stream_arn(location));
        let request = request.consumer_name(names.function());
        self.change("register the stream's consumer", progress, || request.clone().send()).await?;
        let what = format!("the consumer {} to be ACTIVE", names.function());
        self.wait_until(&what, progress, async || consumer::active(self.aws, names, location).await).await
    }

    fn response_types(&self) -> Option<Vec<FunctionResponseType>> {
        let is_partial = self.target(Part::Mapping).bool("partial-responses")?;
        Some(if is_partial { vec![FunctionResponseType::ReportBatchItemFailures] } else { Vec::new() })
    }

    fn filters(&self) -> Option<FilterCriteria> {
        let patterns = self.target(Part::Mapping).texts("filters")?;
        let filters = patterns.into_iter().map(|pattern| Filter::builder().pattern(pattern).build()).collect();
        Some(FilterCriteria::builder().set_filters(Some(filters)).build())
    }

    fn destination(&self) -> Option<DestinationConfig> {
        let arn = self.target(Part::Mapping).text("on-failure")?;
        let arn = if arn == NONE { "" } else { arn };
        let on_failure = OnFailure::builder().destination(arn).build();
        Some(DestinationConfig::builder().on_failure(on_failure).build())
    }

    fn metrics(&self) -> Option<EventSourceMappingMetricsConfig> {
        let has_metrics = self.target(Part::Mapping).bool("metrics")?;
        let metrics = if has_metrics { vec![EventSourceMappingMetric::EventCount] } else { Vec::new() };
        Some(EventSourceMappingMetricsConfig::builder().set_metrics(Some(metrics)).build())
    }

    pub(super) fn mapping_id(&self) -> Result<String> {
        let mapping = self.observed.part(Part::Mapping);
        mapping.map(|mapping| mapping.id.clone()).ok_or_else(|| Error::failed("the event source mapping is not found"))
    }

    /// Sends the settings that differ. The mapping keeps its checkpoint when its function changes, so that no record is lost or
    /// repeated.
    pub(super) async fn update_mapping(&self, changes: &[Change], progress: &ProgressStep) -> Result<()> {
        let uuid = self.mapping_id()?;
        let target = self.target(Part::Mapping);
        let differs = |field: &str| changes.iter().any(|change| change.field == field);
        let integer = |field: &str| target.integer(field).filter(|_| differs(field));
        let bool = |field: &str| target.bool(field).filter(|_| differs(field));
        let request = self
            .aws
            .lambda()
            .update_event_source_mapping()
            .uuid(&uuid)
            .set_function_name(target.text("function").filter(|_| differs("function")).map(str::to_owned))
            .set_enabled(bool("enabled"))
            .set_batch_size(integer("batch-size"))
            .set_maximum_batching_window_in_seconds(integer("batch-window"))
            .set_parallelization_factor(integer("parallelization-factor"))
            .set_maximum_retry_attempts(integer("retries"))
            .set_maximum_record_age_in_seconds(integer("max-record-age"))
            .set_bisect_batch_on_function_error(bool("bisect"))
            .set_tumbling_window_in_seconds(integer("tumbling-window"))
            .set_function_response_types(self.response_types().filter(|_| differs("partial-responses")))
            .set_filter_criteria(self.filters().filter(|_| differs("filters")))
            .set_destination_config(self.destination().filter(|_| differs("on-failure")))
            .set_metrics_config(self.metrics().filter(|_| differs("metrics")));
        self.change("update the event source mapping", progress, || request.clone().send()).await?;
        self.await_mapping(progress, &uuid).await
    }

    pub(super) async fn await_mapping(&self, progress: &ProgressStep, uuid: &str) -> Result<()> {
        let is_enabled = self.target(Part::Mapping).bool("enabled").unwrap_or(true);
        let wanted = if is_enabled { "Enabled" } else { "Disabled" };
        let request = self.aws.lambda().get_event_source_mapping().uuid(uuid);
        self.wait_until(&format!("the event source mapping {uuid} to be {wanted}"), progress, async || {
            let mapping = self.aws.call("get the event source mapping", || request.clone().send()).await?;
            let state = mapping.state().unwrap_or_default();
            Ok(if mapping_state(state) == PartState::Ready && state == wanted {
                Poll::Ready(())
            } else {
                Poll::Pending(state.to_owned())
            })
        })
        .await
    }
}

fn timestamp(text: &str) -> Option<DateTime> {
    let time: Timestamp = text.parse().ok()?;
    Some(DateTime::from_millis(time.as_millisecond()))
}
