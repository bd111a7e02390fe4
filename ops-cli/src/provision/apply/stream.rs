//! Creates and changes the stream.

use aws_sdk_kinesis::types::{
    EncryptionType, RecordDistributionStrategy, ScalingType, StreamMode, StreamModeDetails, StreamStatus,
};
use serde_json::Value;

use super::Applier;
use crate::error::{Error, Result};
use crate::progress::ProgressStep;
use crate::provision::kind::NONE;
use crate::provision::setting::Part;
use crate::provision::step::Change;
use crate::stream;
use crate::wait::Poll;

impl Applier<'_> {
    pub(super) async fn create_stream(&self, progress: &ProgressStep) -> Result<()> {
        let target = self.target(Part::Stream);
        let request = self.aws.kinesis().create_stream().stream_name(self.desired.names.stream());
        let request = match target.integer("shards") {
            Some(count) => request.shard_count(count),
            None => request.stream_mode_details(mode(StreamMode::OnDemand)?),
        };
        let request = request
            .set_tags(Some(self.desired.all_tags().into_iter().collect()))
            .set_max_record_size_in_kib(target.integer("max-record-kib"))
            .set_warm_throughput_mibps(target.integer("warm-throughput-mibps"))
            .set_record_distribution_strategy(target.text("distribution").map(RecordDistributionStrategy::from));
        let request = self.change("create the stream", progress, || request.clone().send());
        let created = self.create(Part::Stream, request).await?;
        self.await_stream(progress).await?;
        self.settle(created.is_some(), Part::Stream, &self.stream_arn()).await
    }

    fn stream_arn(&self) -> String {
        self.desired.names.stream_arn(&self.desired.location)
    }

    /// Changes the mode, then the number of shards. A stream that leaves the on-demand mode keeps its shards.
    pub(super) async fn change_shards(&self, progress: &ProgressStep) -> Result<()> {
        let name = self.desired.names.stream();
        let target = self.target(Part::Stream).integer("shards");
        let observed = self.observed.part(Part::Stream).and_then(|stream| stream.fields.integer("shards"));
        if target.is_some() != observed.is_some() {
            let mode = mode(if target.is_some() { StreamMode::Provisioned } else { StreamMode::OnDemand })?;
            let request =
                self.aws.kinesis().update_stream_mode().stream_arn(self.stream_arn()).stream_mode_details(mode);
            self.change("change the stream's mode", progress, || request.clone().send()).await?;
            self.await_stream(progress).await?;
        }
        let Some(count) = target else { return Ok(()) };
        if stream::summary(self.aws, name).await?.is_some_and(|summary| summary.open_shard_count == count) {
            return Ok(());
        }
        let request = self.aws.kinesis().update_shard_count().stream_name(name).target_shard_count(count);
        let request = request.scaling_type(ScalingType::UniformScaling);
        self.change("change the stream's shards", progress, || request.clone().send()).await?;
        self.await_stream(progress).await
    }

    pub(super) async fn change_stream_retention(&self, changes: &[Change], progress: &ProgressStep) -> Result<()> {
        let (kinesis, name) = (self.aws.kinesis(), self.desired.names.stream());
        let hours = self.target(Part::Stream).integer("retention-hours").unwrap_or_default();
        // A new stream keeps records for 24 hours.
        let old = changes.iter().find_map(|change| change.old.as_ref()).and_then(Value::as_i64).unwrap_or(24);
        let doing = "change the stream's retention";
        if i64::from(hours) < old {
            let request = kinesis.decrease_stream_retention_period().stream_name(name).retention_period_hours(hours);
            self.change(doing, progress, || request.clone().send()).await?;
        } else {
            let request = kinesis.increase_stream_retention_period().stream_name(name).retention_period_hours(hours);
            self.change(doing, progress, || request.clone().send()).await?;
        }
        self.await_stream(progress).await
    }

    pub(super) async fn change_max_record_size(&self, progress: &ProgressStep) -> Result<()> {
        let size = self.target(Part::Stream).integer("max-record-kib");
        let request = self.aws.kinesis().update_max_record_size().stream_arn(self.stream_arn());
        let request = request.set_max_record_size_in_kib(size);
        self.change("change the stream's record size", progress, || request.clone().send()).await?;
        self.await_stream(progress).await
    }

    pub(super) async fn change_warm_throughput(&self, progress: &ProgressStep) -> Result<()> {
        let throughput = self.target(Part::Stream).integer("warm-throughput-mibps");
        let request = self.aws.kinesis().update_stream_warm_throughput().stream_arn(self.stream_arn());
        let request = request.set_warm_throughput_mibps(throughput);
        self.change("change the stream's warm throughput", progress, || request.clone().send()).await?;
        self.await_stream(progress).await
    }

    pub(super) async fn change_distribution(&self, progress: &ProgressStep) -> Result<()> {
        let strategy = self.target(Part::Stream).text("distribution").map(RecordDistributionStrategy::from);
        let request = self.aws.kinesis().update_stream_record_distribution_strategy().stream_arn(self.stream_arn());
        let request = request.set_record_distribution_strategy(strategy);
        self.change("change the stream's distribution strategy", progress, || request.clone().send()).await?;
        self.await_stream(progress).await
    }

    pub(super) async fn change_encryption(&self, changes: &[Change], progress: &ProgressStep) -> Result<()> {
        let (kinesis, name) = (self.aws.kinesis(), self.desired.names.stream());
        let key = self.target(Part::Stream).text("encryption-key").unwrap_or(NONE);
        let old = changes.iter().find_map(|change| change.old.as_ref()).and_then(Value::as_str).unwrap_or(NONE);
        if key == NONE {
            let request = kinesis.stop_stream_encryption().stream_name(name).encryption_type(EncryptionType::Kms);
            let request = request.key_id(old);
            self.change("stop the stream's encryption", progress, || request.clone().send()).await?;
        } else {
            let request = kinesis.start_stream_encryption().stream_name(name).encryption_type(EncryptionType::Kms);
            let request = request.key_id(key);
            self.change("encrypt the stream", progress, || request.clone().send()).await?;
        }
        self.await_stream(progress).await
    }

    pub(super) async fn await_stream(&self, progress: &ProgressStep) -> Result<()> {
        let name = self.desired.names.stream();
        self.wait_until(&format!("the stream {name} to be ACTIVE"), progress, async || {
            Ok(match stream::summary(self.aws, name).await?.map(|summary| summary.stream_status) {
                Some(StreamStatus::Active) => Poll::Ready(()),
                Some(status) => Poll::Pending(status.as_str().to_owned()),
                None => Poll::Pending("missing".to_owned()),
            })
        })
        .await
    }
}

fn mode(mode: StreamMode) -> Result<StreamModeDetails> {
    StreamModeDetails::builder().stream_mode(mode).build().map_err(|error| Error::failed(error.to_string()))
}
