//! The permissions that `docs/permissions.md` lists for a command are those of the calls that it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::common::provisioning::CHANGES;
use super::common::{Endpoint, Run, function_zip, ops_cli, scratch};
use super::{read, root};

type Permissions = BTreeSet<String>;

/// The table's rows: a command, and what it needs by itself, such as `kinesis:PutRecords`.
fn table() -> BTreeMap<String, Permissions> {
    let page = read(&root().join("docs/permissions.md"));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(command, cell)| {
        let mut service = "";
        // A name in small letters is another command's.
        let names = cell.split('`').skip(1).step_by(2).filter(|name| name.contains(|c: char| c.is_uppercase()));
        let mut needed = Permissions::new();
        for name in names {
            let action = match name.split_once(':') {
                Some((named, action)) => {
                    service = named;
                    action
                }
                None => name,
            };
            needed.insert(format!("{service}:{action}"));
        }
        (command.to_owned(), needed)
    })
    .collect()
}

/// How often the endpoint has answered each call, as permissions.
fn calls(endpoint: &Endpoint) -> BTreeMap<String, f64> {
    let (_, metrics) = endpoint.get("/_local/metrics");
    let mut calls = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with("local_aws_requests_total{")) {
        let label = |name: &str| Some(line.split_once(&format!("{name}=\""))?.1.split_once('"')?.0);
        let (service, operation) = (label("service").unwrap(), label("operation").unwrap());
        if service == "none" {
            continue;
        }
        let count: f64 = line.rsplit_once(' ').unwrap().1.parse().unwrap();
        *calls.entry(permission(service, operation)).or_default() += count;
    }
    calls
}

fn permission(service: &str, operation: &str) -> String {
    let service = if service == "CloudWatch Logs" { "logs".to_owned() } else { service.to_lowercase() };
    // The one operation whose permission has another name.
    let operation = if operation == "Invoke" { "InvokeFunction" } else { operation };
    format!("{service}:{operation}")
}

/// The calls that `work` makes.
fn calls_of(endpoint: &Endpoint, work: impl FnOnce()) -> Permissions {
    let before = calls(endpoint);
    work();
    let after = calls(endpoint).into_iter();
    after.filter(|(call, count)| before.get(call).is_none_or(|earlier| earlier < count)).map(|(call, _)| call).collect()
}

/// Permissions that AWS checks within other calls: passing the role to the function, and tagging what is created.
const WITHIN_OTHER_CALLS: [&str; 5] =
    ["iam:PassRole", "iam:TagRole", "kinesis:AddTagsToStream", "lambda:TagResource", "logs:TagResource"];

/// Every call is listed, and everything that is listed is called.
#[track_caller]
fn compare(listed: &Permissions, made: &Permissions) {
    let missing: Vec<_> = made.difference(listed).collect();
    assert!(missing.is_empty(), "docs/permissions.md does not list {missing:?}");
    let unused = listed.difference(made).filter(|name| !WITHIN_OTHER_CALLS.contains(&name.as_str()));
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "docs/permissions.md lists what is never called: {unused:?}");
}

/// The function's zip with another binary in it.
fn another_zip() -> PathBuf {
    let folder = scratch("docs-permissions");
    std::fs::create_dir_all(&folder).unwrap();
    let mut archive = zip::ZipArchive::new(File::open(function_zip()).unwrap()).unwrap();
    let mut binary = Vec::new();
    archive.by_name("bootstrap").unwrap().read_to_end(&mut binary).unwrap();
    binary.extend(b"another build");
    std::fs::write(folder.join("bootstrap"), binary).unwrap();
    let zip = folder.join("bootstrap.zip");
    Run::of(
        ops_cli().args(["package", "--this-machine", "--binary"]).arg(folder.join("bootstrap")).arg("--out").arg(&zip),
    )
    .ok();
    zip
}

/// Publishes a record. Returns its position, and a file with the document of a failed batch that contains it.
fn record(endpoint: &Endpoint) -> (String, String) {
    let receipt = endpoint.run(["--output", "json", "publish", "a record"]).ok().json().remove(0);
    let text = |name: &str| receipt[name].as_str().unwrap().to_owned();
    let (shard, number) = (text("shardId"), text("sequenceNumber"));
    let document = serde_json::json!({
        "requestContext": { "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:test-dev" },
        "KinesisBatchInfo": {
            "shardId": shard, "startSequenceNumber": number, "endSequenceNumber": number, "batchSize": 1,
            "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/test-dev",
        },
    });
    let file = scratch("docs-permissions-document.json");
    std::fs::write(&file, document.to_string()).unwrap();
    // The line of the record, which `show` finds.
    let position = format!("{shard}:{number}");
    super::common::eventually("the record's line", || (endpoint.run(["show", &position]).code == 0).then_some(()));
    (position, file.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_permissions_of_each_command_are_the_calls_it_makes() {
    let table = table();
    let endpoint = Endpoint::start();
    let zip = another_zip();
    let ours = calls_of(&endpoint, || {
        endpoint.provision(&[]);
        // Every setting, and another binary.
        for (args, _) in CHANGES {
            endpoint.run(["provision", "--yes"].iter().chain(*args)).ok();
        }
        // `verify` and `show` need the data.
        endpoint.run(["provision", "--yes", "--replace-env", "--zip", zip.to_str().unwrap()]).ok();
    });
    compare(&table["provision"], &ours);

    let of = |args: &[&str]| calls_of(&endpoint, || drop(endpoint.run(args).ok()));
    compare(&table["plan"], &of(&["plan"]));
    compare(&table["publish"], &of(&["publish", "a record"]));
    compare(&table["tail"], &of(&["tail"]));
    compare(&table["consume"], &of(&["consume"]));
    compare(&(&table["publish"] | &table["tail"]), &of(&["verify", "--count", "3"]));
    compare(&table["status"], &of(&["status"]));
    compare(&table["doctor"], &of(&["doctor"]));
    let (position, document) = record(&endpoint);
    compare(&table["show"], &of(&["show", &position]));
    compare(&table["redrive --to function"], &of(&["redrive", "--to", "function", &document]));
    compare(&table["redrive --to stream"], &of(&["redrive", "--to", "stream", &document]));
    compare(&table["invoke"], &of(&["invoke", "a record"]));

    endpoint.remove_alias().await;
    let original = function_zip().to_str().unwrap();
    let deployed = calls_of(&endpoint, || {
        // The first run creates the alias. The last one deletes the oldest version.
        for zip in [original, zip.to_str().unwrap(), original] {
            endpoint.run(["deploy", "--keep", "2", "--zip", zip]).ok();
        }
    });
    compare(&table["deploy"], &deployed);
    compare(&table["versions"], &of(&["versions"]));
    let rolled_back = of(&["rollback"]);
    compare(&(&table["versions"] | &table["rollback"]), &rolled_back);

    // A policy of the role's own, which has to go before the role.
    let iam = aws_sdk_iam::Client::new(&endpoint.sdk_config().await);
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let put = iam.put_role_policy().role_name("test-dev-role").policy_name("own").policy_document(policy);
    put.send().await.unwrap();
    // A managed policy, which has to be detached before.
    endpoint.run(["provision", "--yes", "--managed-policy"]).ok();
    let made = of(&["teardown", "--yes"]);
    let read_by_provision: Permissions = table["provision"].intersection(&made).cloned().collect();
    compare(&(&table["teardown"] | &read_by_provision), &made);

    let zip = original;
    let fan_out = calls_of(&endpoint, || {
        endpoint.run(["--stage", "fan-out", "provision", "--fan-out", "--zip", zip]).ok();
        endpoint.run(["--stage", "fan-out", "teardown", "--yes"]).ok();
    });
    let consumer = ["RegisterStreamConsumer", "DescribeStreamConsumer", "DeregisterStreamConsumer"];
    let consumer: Permissions = consumer.map(|call| format!("kinesis:{call}")).into();
    assert_eq!(fan_out.difference(&(&ours | &made)).cloned().collect::<Permissions>(), consumer);

    // The policies allow exactly the calls that are made.
    let policy = |role: &str| actions(&endpoint.run(["iam-policy", role]).ok().stdout);
    compare(&policy("deployer"), &(&(&(&ours | &made) | &(&deployed | &rolled_back)) | &consumer));
    compare(&policy("publisher"), &table["publish"]);
    let live: Permissions = ["logs:DescribeLogGroups", "logs:StartLiveTail"].map(str::to_owned).into();
    compare(&policy("tailer"), &(&table["tail"] | &live));
}

/// The actions that a policy allows.
fn actions(policy: &str) -> Permissions {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The function's policy and the calls that AWS's poller and the function make with it:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>.
#[test]
fn the_functions_policy_reads_the_stream_and_writes_logs() {
    let endpoint = Endpoint::start();
    let policy = actions(&endpoint.run(["iam-policy", "function"]).ok().stdout);
    let needed = [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ];
    assert_eq!(policy, needed.map(str::to_owned).into());
}
