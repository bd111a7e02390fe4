//! IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod.

use kinesis_event_logger_core::limits::STREAM_RETENTION_HOURS;
use serde::Deserialize;

use super::addressing::StreamAddress;
use super::{Kinesis, invalid};
use crate::error::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetentionPeriod {
    #[serde(flatten)]
    stream: StreamAddress,
    retention_period_hours: i64,
}

pub fn increase_stream_retention_period(kinesis: &Kinesis, request: RetentionPeriod) -> Result<(), AwsError> {
    set_retention(kinesis, request, true)
}

pub fn decrease_stream_retention_period(kinesis: &Kinesis, request: RetentionPeriod) -> Result<(), AwsError> {
    set_retention(kinesis, request, false)
}

fn set_retention(kinesis: &Kinesis, request: RetentionPeriod, is_increase: bool) -> Result<(), AwsError> {
    let name = kinesis.name_of(request.stream)?;
    let hours = retention_hours(request.retention_period_hours)?;
    let stream = kinesis.existing(&name)?;
    stream.update(|state| {
        let current = state.configuration.retention_hours;
        let (is_wrong, bound, other) =
            if is_increase { (hours < current, "shorter", "Decrease") } else { (hours > current, "longer", "Increase") };
        if is_wrong {
            return Err(invalid(format!(
                "Requested retention period ({hours} hours) for stream {name} can not be {bound} than existing retention period \
                 ({current} hours). Use {other}RetentionPeriod API."
            )));
        }
        state.configuration.retention_hours = hours;
        Ok(())
    })
}

fn retention_hours(wanted: i64) -> Result<u32, AwsError> {
    let (lowest, highest) = STREAM_RETENTION_HOURS.into_inner();
    if wanted < lowest.into() {
        return Err(invalid(format!(
            "Minimum allowed retention period is {lowest} hours. Requested retention period ({wanted} hours) is too short."
        )));
    }
    u32::try_from(wanted).ok().filter(|hours| *hours <= highest).ok_or_else(|| {
        invalid(format!(
            "Maximum allowed retention period is {highest} hours. Requested retention period ({wanted} hours) is too long."
        ))
    })
}
