//! The checks: pure functions from what was read to findings.

use jiff::SignedDuration;
use kinesis_event_logger_core::names::Names;
use kinesis_event_logger_core::{limits, settings};

use super::Finding;
use super::readings::{Concurrency, Failures, Readings, ShardLoad, ShardQuota};
use crate::config::logging_variables;
use crate::error::{ErrorKind, Result};
use crate::function::release::{Alias, LATEST, LIVE, Route};
use crate::provision::fields::Fields;
use crate::provision::kind::NONE;
use crate::provision::observed::{ObservedPart, PartState};
use crate::provision::setting::Part;

/// AWS rejects requests whose time differs more from its own.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// A difference that is worth a warning. The time in an answer has a resolution of a second.
const NOTABLE_SKEW: SignedDuration = SignedDuration::from_secs(30);
/// The share of a limit from which on it is a warning.
const NEARLY_FULL: f64 = 0.8;

/// Returns what is in order and what is not, in the order of the path.
pub fn diagnose(names: &Names, readings: &Readings) -> Vec<Finding> {
    let mut findings = vec![credentials(readings)];
    findings.extend(readings.clock_skew.map(clock));
    if readings.location.is_err() {
        return findings;
    }
    findings.extend(permissions(readings));
    let part = |part, check: &dyn Fn(&ObservedPart, &mut Vec<Finding>)| check_part(readings, names, part, check);
    findings.extend(part(Part::Stream, &|_, _| {}));
    findings.extend(shards(&readings.shards));
    findings.extend(part(Part::Role, &role));
    findings.extend(part(Part::LogGroup, &log_group));
    findings.extend(part(Part::Function, &|it, findings| function(it, names, readings, findings)));
    findings.extend(alias(readings));
    findings.extend(part(Part::Mapping, &|it, findings| mapping(it, readings, findings)));
    findings.push(failures(&readings.failures));
    findings.extend(quotas(readings));
    findings
}

fn credentials(readings: &Readings) -> Finding {
    match &readings.location {
        Ok(location) => Finding::ok("credentials", format!("account {}, {}", location.account_id, location.region)),
        Err(error) => {
            let action = error.hint.as_deref().unwrap_or("check the profile and the region");
            Finding::broken("credentials", error.message.clone(), "every command fails", action)
        }
    }
}

fn clock(skew: SignedDuration) -> Finding {
    let seconds = skew.abs().as_secs();
    let message = || {
        let direction = if skew.is_positive() { "behind" } else { "ahead of" };
        format!("this machine's clock is {seconds} s {direction} the service's")
    };
    let (meaning, action) = ("AWS rejects requests that differ by more than five minutes", "set the clock");
    match skew.abs() {
        skew if skew > MAX_SKEW => Finding::broken("clock", message(), meaning, action),
        skew if skew > NOTABLE_SKEW => Finding::warning("clock", message(), meaning, action),
        _ => Finding::ok("clock", "agrees with the service's"),
    }
}

fn permissions(readings: &Readings) -> Vec<Finding> {
    let finding = |result: &Result<()>, allowed: &str, command: &str| match result {
        Ok(()) => Finding::ok("permissions", allowed),
        Err(error) => Finding::warning(
            "permissions",
            error.message.clone(),
            &format!("`{command}` fails with these credentials"),
            "`ops-cli iam-policy` prints the policies that the commands need",
        ),
    };
    let puts = readings.puts.iter().map(|puts| finding(puts, "may put records", "ops-cli publish"));
    let invocations = readings.invocations.iter();
    puts.chain(invocations.map(|it| finding(it, "may invoke the function", "ops-cli invoke"))).collect()
}

/// Checks that a part exists and can be used, then its own rules, which add to the findings only what is not in order.
fn check_part(
    readings: &Readings,
    names: &Names,
    part: Part,
    check: &dyn Fn(&ObservedPart, &mut Vec<Finding>),
) -> Vec<Finding> {
    let subject = subject(part);
    let name = match part {
        Part::Stream => names.stream(),
        Part::Role => names.role(),
        Part::LogGroup => names.log_group(),
        Part::Function => names.function(),
        Part::Mapping => "the event source mapping",
    };
    let observed = match readings.parts.get(&part) {
        Some(Ok(Some(observed))) => observed,
        Some(Err(error)) if matches!(error.kind, ErrorKind::Failed | ErrorKind::Expired) => {
            return vec![Finding::unknown(subject, error)];
        }
        _ => {
            let meaning = match part {
                Part::LogGroup => "Lambda creates it with the first line, without a retention",
                _ => "records are not logged",
            };
            let action = "ops-cli provision --zip FILE";
            return vec![Finding::broken(subject, format!("{name} does not exist"), meaning, action)];
        }
    };
    let mut findings = Vec::new();
    match &observed.state {
        PartState::Ready => {}
        PartState::Changing(state) => findings.push(Finding::warning(
            subject,
            format!("{name} is {state}"),
            "a change is in progress, or it does not end",
            "wait, and run `ops-cli doctor` again",
        )),
        PartState::Deleting => findings.push(Finding::broken(
            subject,
            format!("{name} is being deleted"),
            "records are not logged",
            "wait until it is deleted, then `ops-cli provision --zip FILE`",
        )),
        PartState::Failed(reason) => findings.push(Finding::broken(
            subject,
            format!("{name} has failed: {reason}"),
            "records are not logged",
            "`ops-cli deploy` with a binary that Lambda can run",
        )),
    }
    check(observed, &mut findings);
    if findings.is_empty() {
        findings.push(Finding::ok(subject, name));
    }
    findings
}

fn subject(part: Part) -> &'static str {
    match part {
        Part::Mapping => "mapping",
        part => part.noun(),
    }
}

fn role(role: &ObservedPart, findings: &mut Vec<Finding>) {
    let has_inline = role.fields.get("inline-policy").is_some_and(|policy| policy != NONE);
    if role.is_ours && !has_inline && role.fields.bool("managed-policy") != Some(true) {
        findings.push(Finding::broken(
            "role",
            "the role has no policy of ours",
            "Lambda may not read the stream, and the function may not write its log",
            "ops-cli provision",
        ));
    }
}

fn log_group(group: &ObservedPart, findings: &mut Vec<Finding>) {
    if group.fields.integer("retention-days") == Some(0) {
        findings.push(Finding::warning(
            "log group",
            "events never expire",
            "the stored bytes, and their price, grow without end",
            "ops-cli provision --retention-days 30",
        ));
    }
}

fn function(function: &ObservedPart, names: &Names, readings: &Readings, findings: &mut Vec<Finding>) {
    if function.fields.text("log-group").is_some_and(|group| group != names.log_group()) {
        let group = function.fields.text("log-group").unwrap_or_default();
        findings.push(Finding::warning(
            "function",
            format!("the function logs to {group}"),
            "`ops-cli tail` and `verify` read another log group",
            &format!("ops-cli provision, or --log-group {group}"),
        ));
    }
    if !function.is_ours {
        let [application, stage] = names.tags().map(|(key, value)| format!("{key}={value}"));
        findings.push(Finding::warning(
            "function",
            "the function does not carry our tags",
            "`ops-cli provision`, `deploy` and `rollback` do not change it, and `teardown` does not delete it",
            &format!("give it the tags {application} and {stage}, if it is this path's"),
        ));
    }
    if function.fields.integer("reserved-concurrency") == Some(0) {
        findings.push(Finding::broken(
            "function",
            "the reserved concurrency is 0",
            "Lambda throttles every invocation: records are not logged",
            "ops-cli provision --reserved-concurrency none",
        ));
    }
    let refused = |fields: &Fields| {
        let variables = fields.members("environment").into_iter().flatten();
        let variables = variables.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        settings::check(variables.chain(logging_variables(fields))).err()
    };
    let action = "ops-cli provision --env NAME=VALUE; docs/settings.md lists the settings";
    let live = readings.live.as_ref().ok().and_then(Option::as_ref).map(|live| &live.fields);
    if let Some(error) = refused(live.unwrap_or(&function.fields)) {
        findings.push(Finding::broken(
            "function",
            format!("the function does not accept its variables: {error}"),
            "it ends when it starts: records are not logged",
            action,
        ));
    } else if let Some(error) = refused(&function.fields) {
        findings.push(Finding::warning(
            "function",
            format!("its next version would not accept its variables: {error}"),
            "the version that is live runs, but a new one would end when it starts",
            action,
        ));
    }
}

fn alias(readings: &Readings) -> Option<Finding> {
    let invoked = readings.parts.get(&Part::Mapping)?.as_ref().ok()?.as_ref()?.fields.text("function")?;
    let invokes_live = invoked.ends_with(&format!(":{LIVE}"));
    match &readings.alias {
        Ok(Some(Alias { route: Route { version, canary: Some((canary, share)) }, .. })) if invokes_live => {
            Some(Finding::warning(
                "alias",
                format!(
                    "{LIVE} runs version {version}, and version {canary} for {}% of the invocations",
                    share * 100.0
                ),
                "a canary is in progress, or a `deploy` was killed during one",
                "`ops-cli rollback` ends it; `ops-cli deploy` begins again",
            ))
        }
        Ok(Some(Alias { route: Route { version, .. }, .. })) if invokes_live && version == LATEST => {
            Some(Finding::warning(
                "alias",
                format!("{LIVE} runs {LATEST}, not a version"),
                "an upload takes effect without a check, and there is no way back",
                "ops-cli deploy",
            ))
        }
        Ok(Some(Alias { route: Route { version, .. }, .. })) if invokes_live => {
            Some(Finding::ok("alias", format!("{LIVE} runs version {version}")))
        }
        Ok(None) if invokes_live => Some(Finding::broken(
            "alias",
            format!("the mapping invokes the alias {LIVE}, which does not exist"),
            "records are not logged",
            "ops-cli deploy",
        )),
        Ok(_) => Some(Finding::warning(
            "alias",
            format!("the mapping invokes {invoked}, not the alias {LIVE}"),
            "an upload takes effect without a check, and there is no way back",
            "ops-cli deploy",
        )),
        Err(error) => Some(Finding::unknown("alias", error)),
    }
}

fn mapping(mapping: &ObservedPart, readings: &Readings, findings: &mut Vec<Finding>) {
    let fields = &mapping.fields;
    if fields.bool("enabled") == Some(false) {
        findings.push(Finding::broken(
            "mapping",
            "the mapping is disabled",
            "records are not logged, and are lost when their retention ends",
            "ops-cli provision --enabled",
        ));
    }
    match &readings.last_result {
        Ok(Some(result)) if result.starts_with("PROBLEM") => findings.push(Finding::broken(
            "mapping",
            format!("the last batch failed: {result}"),
            "its shard is blocked until the batch succeeds, expires or has no retries left",
            "`ops-cli tail --since 15m` shows the function's errors",
        )),
        Ok(_) => {}
        Err(error) => findings.push(Finding::unknown("mapping", error)),
    }
    let is_endless = |key| fields.integer(key).is_none_or(|value| value == -1);
    let has_destination = fields.text("on-failure").is_some_and(|destination| destination != NONE);
    if is_endless("retries") && is_endless("max-record-age") {
        findings.push(Finding::warning(
            "mapping",
            "a batch is retried until its records expire",
            "a record that always fails blocks its shard until the stream's retention ends",
            "ops-cli provision --on-failure ARN",
        ));
    } else if !has_destination {
        findings.push(Finding::warning(
            "mapping",
            "there is no on-failure destination",
            "records whose retries end are not logged, and nothing names them",
            "ops-cli provision --on-failure ARN",
        ));
    }
    if fields.bool("partial-responses") == Some(false) {
        findings.push(Finding::warning(
            "mapping",
            "partial responses are off",
            "Lambda takes a partial answer for success, and loses the records that failed",
            "ops-cli provision --partial-responses",
        ));
    }
}

fn shards(shards: &Result<Vec<ShardLoad>>) -> Vec<Finding> {
    let shards = match shards {
        Ok(shards) => shards,
        Err(error) => return vec![Finding::unknown("shards", error)],
    };
    let share = |load: &ShardLoad| {
        load.rates.map(|rates| {
            let bytes = rates.bytes_per_second / limits::SHARD_WRITE_BYTES_PER_SECOND as f64;
            bytes.max(rates.records_per_second / limits::SHARD_WRITE_RECORDS_PER_SECOND as f64)
        })
    };
    let hot = shards.iter().filter(|load| share(load).is_some_and(|share| share >= NEARLY_FULL));
    let findings: Vec<_> = hot
        .filter_map(|ShardLoad { shard_id, rates }| {
            let rates = (*rates)?;
            let (kib, records) = (rates.bytes_per_second / 1024.0, rates.records_per_second);
            Some(Finding::warning(
                "shards",
                format!("{shard_id} takes {kib:.0} KiB and {records:.0} records a second"),
                "above 1 MiB or 1,000 records a second Kinesis throttles its producers",
                "spread the partition keys (`ops-cli consume --stats` shows the hot ones), or ops-cli provision --shards N",
            ))
        })
        .collect();
    let busiest = shards.iter().filter_map(share).reduce(f64::max);
    match (findings.is_empty(), busiest) {
        (true, Some(busiest)) => {
            vec![Finding::ok("shards", format!("{} open, the busiest is {:.0} % full", shards.len(), busiest * 100.0))]
        }
        _ => findings,
    }
}

fn failures(failures: &Result<Failures>) -> Finding {
    match failures {
        Err(error) => Finding::unknown("invocations", error),
        Ok(Failures { cannot_start: Some(line), .. }) => Finding::broken(
            "invocations",
            format!("the function cannot start: {line}"),
            "the binary needs a newer C library or another processor than the function has",
            "`ops-cli package`, with --arch if needed, then `ops-cli deploy`",
        ),
        Ok(Failures { count: 0, .. }) => Finding::ok("invocations", "none failed in the last 15 minutes"),
        Ok(Failures { count, last, .. }) => Finding::warning(
            "invocations",
            format!("{count} failed in the last 15 minutes; the last: {}", last.as_deref().unwrap_or("-")),
            "their batches are retried, so that records may be logged twice or late",
            "`ops-cli tail --since 15m` shows the function's errors",
        ),
    }
}

fn quotas(readings: &Readings) -> Vec<Finding> {
    vec![concurrency(readings), shard_quota(&readings.shard_quota)].into_iter().flatten().collect()
}

/// Whether the function may run for every shard at the same time.
fn concurrency(readings: &Readings) -> Option<Finding> {
    let Concurrency { unreserved } = match &readings.concurrency {
        Ok(concurrency) => *concurrency,
        Err(error) => return Some(Finding::unknown("quotas", error)),
    };
    let fields = |part| Some(&readings.parts.get(&part)?.as_ref().ok()?.as_ref()?.fields);
    let reserved = fields(Part::Function).and_then(|it| it.integer("reserved-concurrency"));
    let factor = fields(Part::Mapping).and_then(|it| it.integer("parallelization-factor")).unwrap_or(1);
    let shards = readings.shards.as_ref().ok()?.len();
    let needed = i32::try_from(shards).ok()?.saturating_mul(factor);
    let available = reserved.unwrap_or(unreserved);
    if reserved == Some(0) {
        // It is a finding about the function.
        return None;
    }
    Some(if needed > available {
        Finding::warning(
            "quotas",
            format!("{needed} invocations can be needed at the same time, and {available} may run"),
            "Lambda throttles the others, and the records wait",
            "raise --reserved-concurrency or the account's concurrency, or lower --parallelization-factor",
        )
    } else {
        Finding::ok("quotas", format!("{available} concurrent invocations for {needed}"))
    })
}

fn shard_quota(quota: &Result<ShardQuota>) -> Option<Finding> {
    match quota {
        Err(error) => Some(Finding::unknown("quotas", error)),
        Ok(ShardQuota { limit, open }) if f64::from(*open) >= f64::from(*limit) * NEARLY_FULL => {
            Some(Finding::warning(
                "quotas",
                format!("{open} of the account's {limit} shards are open"),
                "more shards are rejected",
                "ask AWS to raise the limit, or use --shards on-demand",
            ))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests;
