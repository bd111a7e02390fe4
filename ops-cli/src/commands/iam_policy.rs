//! `iam-policy`: print the policy that the function or a person needs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use kinesis_event_logger_core::names::{Location, Names};
use serde::Serialize;
use serde_json::{Value, json};

use super::provision::{PathOptions, RequestedPath};
use crate::aws::Aws;
use crate::error::Result;
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::note;
use crate::provision::desired::{DesiredPath, MANAGED_POLICY, Requested};
use crate::provision::kind::NONE;
use crate::provision::observed::ObservedPath;
use crate::provision::policy;
use crate::provision::setting::Part;

const TASK: &str = "\
Prints an IAM policy for exactly these names, account and region. `function` is the policy that provision gives the function's role. \
`deployer` is what plan, provision, deploy, versions, rollback and teardown need, `publisher` what publish needs, and `tailer` what \
tail needs. `cargo make deploy` also publishes and tails one record. \
Changes nothing.";

const EXAMPLES: &str = "\
Examples:
  ops-cli iam-policy publisher
  ops-cli --app orders --stage prod iam-policy deployer > deployer.json
  ops-cli iam-policy function --on-failure arn:aws:sqs:us-east-1:123456789012:failed";

/// Print the IAM policy of the function or of a person
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct IamPolicy {
    /// Who needs the policy
    #[arg(value_enum, value_name = "ROLE")]
    pub who: PolicyRole,
    #[command(flatten)]
    pub path: PathOptions,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum PolicyRole {
    Function,
    Deployer,
    Publisher,
    Tailer,
}

/// The actions of provision, deploy and teardown on the stream. Kinesis checks the tags of CreateStream with AddTagsToStream.
const DEPLOY_STREAM: &[&str] = &[
    "AddTagsToStream",
    "CreateStream",
    "DecreaseStreamRetentionPeriod",
    "DeleteStream",
    "DescribeStreamSummary",
    "IncreaseStreamRetentionPeriod",
    "ListTagsForStream",
    "RegisterStreamConsumer",
    "StartStreamEncryption",
    "StopStreamEncryption",
    "UpdateMaxRecordSize",
    "UpdateShardCount",
    "UpdateStreamMode",
    "UpdateStreamRecordDistributionStrategy",
    "UpdateStreamWarmThroughput",
];

const DEPLOY_CONSUMER: &[&str] = &["DeregisterStreamConsumer", "DescribeStreamConsumer"];

const DEPLOY_ROLE: &[&str] = &[
    "AttachRolePolicy",
    "CreateRole",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListRolePolicies",
    "PassRole",
    "PutRolePolicy",
    "TagRole",
];

const DEPLOY_LOG_GROUP: &[&str] = &[
    "AssociateKmsKey",
    "CreateLogGroup",
    "DeleteLogGroup",
    "DeleteRetentionPolicy",
    "DisassociateKmsKey",
    "FilterLogEvents",
    "ListTagsForResource",
    "PutLogGroupDeletionProtection",
    "PutRetentionPolicy",
    "TagResource",
];

const DEPLOY_FUNCTION: &[&str] = &[
    "CreateAlias",
    "CreateFunction",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "GetAlias",
    "GetFunction",
    "GetFunctionConfiguration",
    "InvokeFunction",
    "ListAliases",
    "ListVersionsByFunction",
    "PublishVersion",
    "PutFunctionConcurrency",
    "TagResource",
    "UpdateAlias",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
];

/// The ARN of a mapping contains its UUID, which is not known before. The function is a condition instead.
const DEPLOY_MAPPING: &[&str] = &["CreateEventSourceMapping", "DeleteEventSourceMapping", "UpdateEventSourceMapping"];
/// Actions without a resource or a condition that would limit them.
const READ_MAPPING: &[&str] = &["GetEventSourceMapping", "ListEventSourceMappings", "ListTags", "TagResource"];

#[derive(Serialize)]
#[serde(transparent)]
struct Policy(Value);

impl Render for Policy {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for line in format!("{:#}", self.0).lines() {
            writeln!(to, "{line}")?;
        }
        Ok(())
    }
}

pub async fn run(global: &Global, args: &IamPolicy, output: Output) -> Result<()> {
    let RequestedPath { names, requested, .. } = args.path.requested(global)?;
    let location = Aws::connect(global).await?.location().await?;
    let policy = match args.who {
        PolicyRole::Function => {
            if requested.get(Part::Role, "managed-policy") == Some(&Value::Bool(true)) {
                note(&format!(
                    "with --managed-policy, provision gives the role {MANAGED_POLICY} instead of this policy"
                ));
            }
            let path =
                DesiredPath { requested: requested.clone(), ..DesiredPath::new(names.clone(), location.clone(), None) };
            policy::of_function(&names, &location, &path.targets(&ObservedPath::default()))
        }
        PolicyRole::Deployer => deployer(&names, &location, &requested),
        PolicyRole::Publisher => document(vec![allow(
            "kinesis",
            &["DescribeStreamSummary", "ListShards", "PutRecords"],
            json!(names.stream_arn(&location)),
        )]),
        PolicyRole::Tailer => document(vec![
            allow("logs", &["FilterLogEvents", "StartLiveTail"], log_group(&names, &location)),
            allow("logs", &["DescribeLogGroups"], json!("*")),
        ]),
    };
    output.show(&Policy(policy))
}

fn deployer(names: &Names, location: &Location, requested: &Requested) -> Value {
    let stream = names.stream_arn(location);
    let function = names.function_arn(location);
    let mut mapping = allow("lambda", DEPLOY_MAPPING, json!("*"));
    mapping["Condition"] = json!({ "ArnLike": { "lambda:FunctionArn": [function.clone(), format!("{function}:*")] } });
    let mut statements = vec![
        allow("sts", &["GetCallerIdentity"], json!("*")),
        allow("kinesis", DEPLOY_STREAM, json!(stream)),
        allow("kinesis", DEPLOY_CONSUMER, json!([stream.clone(), format!("{stream}/consumer/*")])),
        allow("iam", DEPLOY_ROLE, json!(names.role_arn(location))),
        allow("logs", DEPLOY_LOG_GROUP, log_group(names, location)),
        allow("logs", &["DescribeLogGroups"], json!("*")),
        allow("lambda", DEPLOY_FUNCTION, json!([function.clone(), format!("{function}:*")])),
        mapping,
        allow("lambda", READ_MAPPING, json!("*")),
    ];
    // Lambda checks these when a function gets a key or a network.
    let of_function = |key: &str| requested.get(Part::Function, key);
    if let Some(key) = of_function("kms-key").filter(|key| *key != NONE) {
        statements.push(allow("kms", &["CreateGrant", "Decrypt", "DescribeKey", "Encrypt"], key.clone()));
    }
    if of_function("subnets").is_some_and(|subnets| *subnets != json!([])) {
        let reads = ["DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs"];
        statements.push(allow("ec2", &reads, json!("*")));
    }
    document(statements)
}

fn log_group(names: &Names, location: &Location) -> Value {
    let arn = names.log_group_arn(location);
    json!([arn.clone(), format!("{arn}:*")])
}

fn document(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn allow(service: &str, actions: &[&str], resource: Value) -> Value {
    let actions: Vec<_> = actions.iter().map(|action| format!("{service}:{action}")).collect();
    let statement = BTreeMap::from([("Effect", json!("Allow")), ("Action", json!(actions)), ("Resource", resource)]);
    json!(statement)
}
