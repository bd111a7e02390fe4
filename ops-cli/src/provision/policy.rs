//! The permissions of the function's role: exactly this stream, this log group and this destination.

use std::collections::BTreeMap;

use kinesis_event_logger_core::names::{Location, Names};
use serde_json::{Value, json};

use super::fields::Fields;
use super::setting::Part;

/// The statements that AWSLambdaKinesisExecutionRole has too.
const MANAGED: [&str; 3] = ["ReadStream", "WriteLogs", "ReadConsumer"];

/// The actions with which Lambda attaches a function to a VPC. EC2 does not limit them to a resource.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html>
const NETWORK: &[&str] = &[
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

/// The policy document for a path whose parts have these values.
pub fn of_function(names: &Names, location: &Location, targets: &BTreeMap<Part, Fields>) -> Value {
    let text =
        |part: Part, key: &str| targets.get(&part).and_then(|fields| fields.text(key)).filter(|it| *it != "none");
    let mut statements = vec![
        // <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>
        allow(
            "ReadStream",
            &[
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            json!(names.stream_arn(location)),
        ),
        // Not CreateLogGroup: a group that is created by the function has no retention and not our tags.
        allow(
            "WriteLogs",
            &["logs:CreateLogStream", "logs:PutLogEvents"],
            json!(format!("{}:*", names.log_group_arn(location))),
        ),
    ];
    let bool = |part: Part, key: &str| targets.get(&part).and_then(|fields| fields.bool(key)) == Some(true);
    if bool(Part::Mapping, "fan-out") {
        // The consumer's ARN ends in the time of its registration.
        let consumer = format!("{}/consumer/{}:*", names.stream_arn(location), names.function());
        statements.push(allow("ReadConsumer", &["kinesis:SubscribeToShard"], json!(consumer)));
    }
    let has_network = |fields: &Fields| fields.texts("subnets").is_some_and(|subnets| !subnets.is_empty());
    if targets.get(&Part::Function).is_some_and(has_network) {
        statements.push(allow("JoinNetwork", NETWORK, json!("*")));
    }
    statements.extend(text(Part::Mapping, "on-failure").map(destination));
    statements.extend(text(Part::Stream, "encryption-key").and_then(|key| decrypt(key, location)));
    if text(Part::Function, "tracing") == Some("Active") {
        statements.push(allow("Trace", &["xray:PutTraceSegments", "xray:PutTelemetryRecords"], json!("*")));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// A warning of settings that need more permissions than the managed policy has, if the role has that policy.
pub fn lacking(names: &Names, location: &Location, targets: &BTreeMap<Part, Fields>) -> Option<String> {
    let is_managed = targets.get(&Part::Role)?.bool("managed-policy") == Some(true);
    let needed = of_function(names, location, targets);
    let needed = needed["Statement"].as_array()?.iter().filter_map(|statement| statement["Sid"].as_str());
    let lacking: Vec<_> = needed.filter(|name| !MANAGED.contains(name)).collect();
    (is_managed && !lacking.is_empty()).then(|| {
        format!(
            "the managed policy lacks permissions that the settings need ({}); give the role its own policy with \
             --managed-policy=false",
            lacking.join(", ")
        )
    })
}

fn allow(sid: &str, actions: &[&str], resource: Value) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource })
}

fn destination(arn: &str) -> Value {
    let sid = "SendAbandonedBatches";
    match arn.split(':').nth(2) {
        Some("sns") => allow(sid, &["sns:Publish"], json!(arn)),
        Some("s3") => allow(sid, &["s3:ListBucket", "s3:PutObject"], json!([arn, format!("{arn}/*")])),
        _ => allow(sid, &["sqs:SendMessage"], json!(arn)),
    }
}

/// The permission to read a stream that a customer's key encrypts. AWS's own key needs none.
fn decrypt(key: &str, location: &Location) -> Option<Value> {
    let key_arn =
        |id: &str| format!("arn:{}:kms:{}:{}:key/{id}", location.partition(), location.region, location.account_id);
    let alias = key.find("alias/").map(|start| &key[start..]);
    let statement = |resource: String| allow("DecryptStream", &["kms:Decrypt"], json!(resource));
    match alias {
        Some("alias/aws/kinesis") => None,
        Some(alias) => {
            let mut statement = statement(key_arn("*"));
            statement["Condition"] = json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": alias } });
            Some(statement)
        }
        None if key.starts_with("arn:") => Some(statement(key.to_owned())),
        None => Some(statement(key_arn(key))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(part: Part, key: &str, value: impl Into<Value>) -> Vec<Value> {
        let location = Location { region: "us-east-1".into(), account_id: "1".into() };
        let targets = BTreeMap::from([(part, Fields::from([(key, value.into())]))]);
        let policy = of_function(&Names::new("app", "test").unwrap(), &location, &targets);
        policy["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn the_policy_names_exactly_this_stream_and_log_group() {
        let statements = statements(Part::Mapping, "on-failure", "none");
        let resources: Vec<_> = statements.iter().map(|statement| statement["Resource"].clone()).collect();
        let stream = "arn:aws:kinesis:us-east-1:1:stream/app-test";
        assert_eq!(resources, [json!(stream), json!("arn:aws:logs:us-east-1:1:log-group:/aws/lambda/app-test:*")]);
    }

    #[test]
    fn a_destination_a_key_and_tracing_add_their_permissions() {
        for (part, key, value, action, resource) in [
            (Part::Mapping, "on-failure", "arn:aws:sqs:us-east-1:1:q", "sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q"),
            (Part::Mapping, "on-failure", "arn:aws:sns:us-east-1:1:t", "sns:Publish", "arn:aws:sns:us-east-1:1:t"),
            (Part::Mapping, "on-failure", "arn:aws:s3:::b", "s3:ListBucket", "arn:aws:s3:::b"),
            (Part::Stream, "encryption-key", "abc", "kms:Decrypt", "arn:aws:kms:us-east-1:1:key/abc"),
            (Part::Stream, "encryption-key", "alias/mine", "kms:Decrypt", "arn:aws:kms:us-east-1:1:key/*"),
            (Part::Function, "tracing", "Active", "xray:PutTraceSegments", "*"),
        ] {
            let statements = statements(part, key, value);
            assert_eq!(statements.len(), 3, "{value}");
            assert_eq!(statements[2]["Action"][0], action);
            let resources = &statements[2]["Resource"];
            assert_eq!(resources.get(0).unwrap_or(resources), resource, "{value}");
        }
        assert_eq!(statements(Part::Stream, "encryption-key", "alias/aws/kinesis").len(), 2);
    }

    #[test]
    fn a_consumer_and_a_network_add_their_permissions() {
        let consumer = statements(Part::Mapping, "fan-out", true);
        assert_eq!(consumer[2]["Action"], json!(["kinesis:SubscribeToShard"]));
        assert_eq!(consumer[2]["Resource"], "arn:aws:kinesis:us-east-1:1:stream/app-test/consumer/app-test:*");
        assert_eq!(statements(Part::Mapping, "fan-out", false).len(), 2);
        let network = statements(Part::Function, "subnets", json!(["subnet-1"]));
        assert_eq!((&network[2]["Action"], &network[2]["Resource"]), (&json!(NETWORK), &json!("*")));
        assert_eq!(statements(Part::Function, "subnets", json!([])).len(), 2);
    }
}
