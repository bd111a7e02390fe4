use std::collections::BTreeMap;

use kinesis_event_logger_core::names::Location;
use serde_json::{Value, json};

use super::super::Severity;
use super::super::readings::Rates;
use super::*;
use crate::error::Error;
use crate::provision::observed::LiveVersion;

fn names() -> Names {
    Names::builder("orders", "test").build().unwrap()
}

fn part(fields: &[(&str, Value)]) -> Result<Option<ObservedPart>> {
    let mut values = Fields::default();
    fields.iter().for_each(|(name, value)| values.set(name, value.clone()));
    Ok(Some(ObservedPart {
        is_ours: true,
        tags: BTreeMap::new(),
        state: PartState::Ready,
        id: String::new(),
        fields: values,
        since: None,
        stored_bytes: None,
    }))
}

fn live(route: Route) -> Alias {
    Alias { name: LIVE.into(), route, earlier: None, revision: None }
}

/// A path in which everything is in order.
fn healthy() -> Readings {
    let mapping = [
        ("function", json!("orders-test:live")),
        ("enabled", json!(true)),
        ("retries", json!(10)),
        ("max-record-age", json!(3600)),
        ("on-failure", json!("arn:aws:sqs:us-east-1:000000000000:failed")),
        ("partial-responses", json!(true)),
    ];
    Readings {
        location: Ok(Location { region: "us-east-1".into(), account_id: "000000000000".into() }),
        clock_skew: Some(SignedDuration::from_millis(-900)),
        parts: BTreeMap::from([
            (Part::Stream, part(&[])),
            (Part::Role, part(&[("inline-policy", json!({}))])),
            (Part::LogGroup, part(&[("retention-days", json!(30))])),
            (Part::Function, part(&[("log-group", json!("/aws/lambda/orders-test"))])),
            (Part::Mapping, part(&mapping)),
        ]),
        live: Ok(Some(LiveVersion { version: "3".into(), fields: Fields::default() })),
        alias: Ok(Some(live(Route::to("3")))),
        last_result: Ok(Some("OK".into())),
        puts: Some(Ok(())),
        invocations: Some(Ok(())),
        concurrency: Ok(Concurrency { unreserved: 1000 }),
        shard_quota: Ok(ShardQuota { limit: 500, open: 4 }),
        shards: Ok(vec![ShardLoad { shard_id: "shardId-000000000000".into(), rates: Some(rates(0.1)) }]),
        failures: Ok(Failures::default()),
    }
}

fn rates(share: f64) -> Rates {
    let bytes_per_second = share * limits::SHARD_WRITE_BYTES_PER_SECOND as f64;
    Rates { bytes_per_second, records_per_second: 1.0 }
}

fn set(readings: &mut Readings, part: Part, name: &str, value: Value) {
    let Some(Ok(Some(observed))) = readings.parts.get_mut(&part) else { panic!("{part:?} exists") };
    observed.fields.set(name, value);
}

/// The findings other than `ok` after a change to a healthy path.
fn found(change: impl FnOnce(&mut Readings)) -> Vec<(Severity, &'static str, String)> {
    let mut readings = healthy();
    change(&mut readings);
    let findings = diagnose(&names(), &readings);
    for finding in &findings {
        assert_eq!(finding.meaning.is_some(), finding.severity > Severity::Ok, "{finding:?}");
        assert_eq!(finding.action.is_some(), finding.severity > Severity::Ok, "{finding:?}");
    }
    let found = findings.into_iter().filter(|finding| finding.severity > Severity::Ok);
    found.map(|finding| (finding.severity, finding.subject, finding.message)).collect()
}

#[test]
fn a_healthy_path_has_no_findings_but_ok() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn every_fault_is_found_alone_and_named() {
    use Severity::{Broken, Warning};
    type Change = Box<dyn FnOnce(&mut Readings)>;
    let field = |part, name: &'static str, value: Value| -> Change {
        Box::new(move |readings| set(readings, part, name, value))
    };
    let cases: Vec<(Change, Severity, &str, &str)> = vec![
        (Box::new(|it| it.clock_skew = Some(SignedDuration::from_secs(400))), Broken, "clock", "400 s behind"),
        (Box::new(|it| it.clock_skew = Some(SignedDuration::from_secs(-60))), Warning, "clock", "60 s ahead of"),
        (Box::new(|it| it.puts = Some(Err(Error::failed("denied")))), Warning, "permissions", "denied"),
        (Box::new(|it| it.invocations = Some(Err(Error::failed("denied")))), Warning, "permissions", "denied"),
        (Box::new(|it| drop(it.parts.insert(Part::Stream, Ok(None)))), Broken, "stream", "orders-test does not exist"),
        (Box::new(|it| drop(it.parts.insert(Part::Role, Err(Error::failed("denied"))))), Warning, "role", "denied"),
        (field(Part::Role, "inline-policy", json!(NONE)), Broken, "role", "no policy"),
        (field(Part::LogGroup, "retention-days", json!(0)), Warning, "log group", "never expire"),
        (field(Part::Function, "log-group", json!("/other")), Warning, "function", "logs to /other"),
        (field(Part::Function, "reserved-concurrency", json!(0)), Broken, "function", "concurrency is 0"),
        (
            Box::new(|it| {
                let Some(Ok(Some(function))) = it.parts.get_mut(&Part::Function) else { panic!("it exists") };
                function.is_ours = false;
            }),
            Warning,
            "function",
            "does not carry our tags",
        ),
        (
            Box::new(|it| {
                let fields = Fields::from([("environment", json!({"LOGGER_SAMPLE": "2"}))]);
                it.live = Ok(Some(LiveVersion { version: "3".into(), fields }));
            }),
            Broken,
            "function",
            "LOGGER_SAMPLE",
        ),
        (field(Part::Function, "environment", json!({"LOGGER_SAMPLE": "2"})), Warning, "function", "next version"),
        (field(Part::Mapping, "function", json!("orders-test")), Warning, "alias", "not the alias live"),
        (Box::new(|it| it.alias = Ok(None)), Broken, "alias", "does not exist"),
        (Box::new(|it| it.alias = Ok(Some(live(Route::to("$LATEST"))))), Warning, "alias", "runs $LATEST"),
        (
            Box::new(|it| it.alias = Ok(Some(live(Route::to("3").with_canary("4", 0.1))))),
            Warning,
            "alias",
            "version 4 for 10% of",
        ),
        (field(Part::Mapping, "enabled", json!(false)), Broken, "mapping", "disabled"),
        (
            Box::new(|it| it.last_result = Ok(Some("PROBLEM: Function call failed".into()))),
            Broken,
            "mapping",
            "Function call failed",
        ),
        (field(Part::Mapping, "on-failure", json!(NONE)), Warning, "mapping", "no on-failure destination"),
        (field(Part::Mapping, "partial-responses", json!(false)), Warning, "mapping", "partial responses are off"),
        (
            Box::new(|it| {
                let failures = Failures { count: 2, last: Some("REPORT".into()), cannot_start: None };
                it.failures = Ok(failures);
            }),
            Warning,
            "invocations",
            "2 failed in the last 15 minutes; the last: REPORT",
        ),
        (
            Box::new(|it| {
                it.failures = Ok(Failures { cannot_start: Some("GLIBC_2.38".into()), ..Failures::default() });
            }),
            Broken,
            "invocations",
            "cannot start: GLIBC_2.38",
        ),
        (Box::new(|it| it.concurrency = Ok(Concurrency { unreserved: 0 })), Warning, "quotas", "and 0 may run"),
        (Box::new(|it| it.shard_quota = Ok(ShardQuota { limit: 500, open: 400 })), Warning, "quotas", "400 of"),
        (
            Box::new(|it| {
                it.shards = Ok(vec![ShardLoad { shard_id: "shardId-000000000007".into(), rates: Some(rates(0.9)) }]);
            }),
            Warning,
            "shards",
            "shardId-000000000007 takes 922 KiB and 1 records a second",
        ),
    ];
    for (change, severity, subject, message) in cases {
        let found = found(change);
        assert_eq!(found.len(), 1, "{subject}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (severity, subject));
        assert!(found[0].2.contains(message), "{found:?} has no {message:?}");
    }
}

#[test]
fn without_credentials_nothing_else_is_checked() {
    let findings = found(|readings| readings.location = Err(Error::failed("ExpiredToken")));
    assert_eq!(findings, [(Severity::Broken, "credentials", "ExpiredToken".to_owned())]);
}
