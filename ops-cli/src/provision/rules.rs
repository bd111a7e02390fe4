//! Rules about several settings together, which the services check only when some parts exist already. Pure.

use std::collections::BTreeMap;

use kinesis_event_logger_core::limits::{MAPPING_FILTERS, RESERVED_VARIABLES};
use serde_json::Value;

use super::desired::Requested;
use super::fields::Fields;
use super::kind::NONE;
use super::setting::Part;
use crate::error::{Error, Result};
use crate::output::counted;

/// Checks the values that the parts would have, and those of them that are requested.
pub fn check(targets: &BTreeMap<Part, Fields>, requested: &Requested) -> Result<()> {
    let nothing = Fields::default();
    let target = |part| targets.get(&part).unwrap_or(&nothing);
    check_stream(target(Part::Stream), requested)?;
    check_function(target(Part::Function))?;
    check_levels(target(Part::Function), requested)?;
    check_mapping(target(Part::Mapping))?;
    check_start(requested)
}

fn check_stream(stream: &Fields, requested: &Requested) -> Result<()> {
    let is_provisioned = stream.integer("shards").is_some();
    let warm = requested.get(Part::Stream, "warm-throughput-mibps").and_then(Value::as_i64);
    if is_provisioned && warm.is_some_and(|throughput| throughput > 0) {
        return Err(Error::usage("only an on-demand stream has a warm throughput")
            .hint("give --shards on-demand, or leave --warm-throughput-mibps out"));
    }
    if is_provisioned && stream.text("distribution") == Some("AUTO") {
        return Err(Error::usage("only an on-demand stream distributes its records itself")
            .hint("give --shards on-demand, or --distribution USER_PARTITION_KEY"));
    }
    Ok(())
}

fn check_function(function: &Fields) -> Result<()> {
    let has = |key| function.texts(key).is_some_and(|ids| !ids.is_empty());
    if has("subnets") != has("security-groups") {
        return Err(Error::usage("a function in a VPC has both subnets and security groups")
            .hint("give --subnets and --security-groups together, or `none` for both"));
    }
    let variables = function.members("environment").into_iter().flatten();
    let reserved = variables.map(|(name, _)| name.as_str()).find(|name| RESERVED_VARIABLES.contains(name));
    match reserved {
        Some(name) => Err(Error::usage(format!("Lambda sets the environment variable {name} itself"))
            .hint(format!("leave {name} out of --env and function.environment"))),
        None => Ok(()),
    }
}

fn check_mapping(mapping: &Fields) -> Result<()> {
    let filters = mapping.texts("filters").map_or(0, |filters| filters.len());
    if filters > MAPPING_FILTERS {
        return Err(Error::usage(format!("a mapping has at most {MAPPING_FILTERS} filters, but {filters} are given"))
            .hint("join patterns, or leave some --mapping-filter out"));
    }
    let above = |key, limit| mapping.integer(key).is_some_and(|value| value > limit);
    if above("tumbling-window", 0) && above("parallelization-factor", 1) {
        return Err(Error::usage("a mapping with a tumbling window processes one batch of a shard at a time")
            .hint("give --parallelization-factor 1, or --tumbling-window 0"));
    }
    let destination = mapping.text("on-failure").filter(|arn| *arn != NONE);
    let service = destination.and_then(|arn| arn.split(':').nth(2));
    match service {
        Some(service) if !["sqs", "sns", "s3"].contains(&service) => Err(Error::usage(format!(
            "an on-failure destination is a queue, a topic or a bucket, not of the service {service}"
        ))
        .hint("give the ARN of one of them with --on-failure")),
        _ => Ok(()),
    }
}

/// The time at which a mapping starts to read is part of one of the positions.
fn check_start(requested: &Requested) -> Result<()> {
    let get = |key| requested.get(Part::Mapping, key);
    let is_at_time = get("starting-position").is_some_and(|position| position == "AT_TIMESTAMP");
    if is_at_time == get("starting-timestamp").is_some() {
        return Ok(());
    }
    Err(Error::usage("the starting position AT_TIMESTAMP and a starting timestamp need each other")
        .hint("give --starting-position AT_TIMESTAMP --starting-timestamp TIME, or neither"))
}

/// Lambda accepts log levels only with JSON logs. A level that an existing function has from before is left out.
fn check_levels(function: &Fields, requested: &Requested) -> Result<()> {
    let levels = ["application-log-level", "system-log-level"];
    let level = levels.into_iter().find(|level| requested.get(Part::Function, level).is_some());
    match level {
        Some(level) if function.text("log-format") == Some("Text") => {
            Err(Error::usage(format!("function.{level} needs the log format JSON, but the format is Text"))
                .hint(format!("give --log-format JSON, or leave --{level} out")))
        }
        _ => Ok(()),
    }
}

/// Kinesis changes the number of shards to at most twice and at least half of what it is.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html>
pub fn check_resharding(old: &Value, new: &Value) -> Result<()> {
    let (Some(old), Some(new)) = (old.as_i64(), new.as_i64()) else { return Ok(()) };
    let (least, most) = ((old + 1) / 2, old * 2);
    if (least..=most).contains(&new) {
        return Ok(());
    }
    let next = new.clamp(least, most);
    let old = counted(old.unsigned_abs(), "shard");
    Err(Error::usage(format!("Kinesis changes {old} to {least} to {most} at a time, but {new} are requested"))
        .hint(format!("go in steps: --shards {next} first")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(part: Part, fields: &[(&str, Value)]) -> Option<String> {
        let (mut target, mut requested) = (Fields::default(), Requested::default());
        for (key, value) in fields {
            target.set(key, value.clone());
            requested.set(part, key, value.clone());
        }
        check(&BTreeMap::from([(part, target)]), &requested).err().map(|error| error.message)
    }

    #[test]
    fn settings_that_need_or_exclude_each_other_are_rejected() {
        let arn = |service: &str| json!(format!("arn:aws:{service}:us-east-1:123456789012:x"));
        for (part, fields, expected) in [
            (Part::Stream, vec![("distribution", json!("AUTO")), ("shards", json!(1))], Some("on-demand")),
            (Part::Stream, vec![("distribution", json!("AUTO")), ("shards", json!("on-demand"))], None),
            (Part::Stream, vec![("warm-throughput-mibps", json!(10)), ("shards", json!(1))], Some("on-demand")),
            (Part::Stream, vec![("warm-throughput-mibps", json!(10)), ("shards", json!("on-demand"))], None),
            (Part::Function, vec![("subnets", json!(["subnet-1"]))], Some("security groups")),
            (Part::Function, vec![("environment", json!({ "AWS_REGION": "x" }))], Some("AWS_REGION")),
            (Part::Function, vec![("environment", json!({ "LOGGER_DATA": "x" }))], None),
            (
                Part::Function,
                vec![("log-format", json!("Text")), ("system-log-level", json!("WARN"))],
                Some("function.system-log-level needs the log format JSON"),
            ),
            (Part::Function, vec![("log-format", json!("JSON")), ("system-log-level", json!("WARN"))], None),
            (Part::Mapping, vec![("starting-position", json!("AT_TIMESTAMP"))], Some("starting timestamp")),
            (Part::Mapping, vec![("starting-timestamp", json!("2026-11-28T14:50:00Z"))], Some("AT_TIMESTAMP")),
            (Part::Mapping, vec![("filters", json!(["{}", "{}", "{}", "{}", "{}", "{}"]))], Some("at most 5")),
            (Part::Mapping, vec![("filters", json!(["{}"]))], None),
            (Part::Mapping, vec![("tumbling-window", json!(10)), ("parallelization-factor", json!(2))], Some("window")),
            (Part::Mapping, vec![("tumbling-window", json!(10)), ("parallelization-factor", json!(1))], None),
            (Part::Mapping, vec![("on-failure", arn("lambda"))], Some("lambda")),
            (Part::Mapping, vec![("on-failure", arn("sqs"))], None),
            (Part::Mapping, vec![("on-failure", json!(NONE))], None),
        ] {
            let found = error(part, &fields);
            assert_eq!(found.is_some(), expected.is_some(), "{fields:?}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{fields:?}");
        }
    }

    #[test]
    fn a_level_of_an_existing_function_is_no_error_in_text() {
        let text = Fields::from([("log-format", json!("Text")), ("system-log-level", json!("WARN"))]);
        assert!(check(&BTreeMap::from([(Part::Function, text)]), &Requested::default()).is_ok());
    }

    #[test]
    fn shards_change_to_at_most_twice_and_at_least_half() {
        let may = |old: i64, new: i64| check_resharding(&json!(old), &json!(new)).is_ok();
        assert!(may(1, 2) && may(4, 2) && may(5, 3) && may(3, 6));
        assert!(!may(1, 3) && !may(4, 1) && !may(5, 2));
        assert!(check_resharding(&json!("on-demand"), &json!(9)).is_ok());
        let error = check_resharding(&json!(1), &json!(10)).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("go in steps: --shards 2 first"));
    }
}
