//! Regions and the account of the endpoint, as `ops-cli` and the SDK see them.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;

use aws_config::Region;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use common::{Endpoint, eventually, function_zip, ops_cli};
use serde_json::Value;

const EU: &str = "eu-central-1";

#[test]
fn a_region_works_from_provision_to_teardown_beside_another() {
    let endpoint = Endpoint::start();
    let run = |region: &'static str, args: &[&str]| endpoint.run([&["--region", region], args].concat());
    let zip = function_zip().to_str().unwrap();
    for region in ["us-east-1", EU] {
        run(region, &["provision", "--zip", zip]).ok();
        run(region, &["publish", &format!("to {region}")]).ok();
    }
    let lines = |region| -> Vec<String> {
        let events = run(region, &["--output", "json", "tail"]).ok().json();
        let messages = events.iter().filter_map(|event| serde_json::from_str(event["message"].as_str()?).ok());
        messages.filter_map(|line: Value| Some(line["data"].as_str()?.to_owned())).collect()
    };
    for region in ["us-east-1", EU] {
        let lines = eventually("the record's line", || Some(lines(region)).filter(|lines| !lines.is_empty()));
        assert_eq!(lines, [format!("to {region}")]);
    }
    let status = run(EU, &["--output", "json", "status"]).ok().stdout;
    assert!(status.contains(EU) && !status.contains("us-east-1"), "{status}");
    run(EU, &["teardown", "--yes"]).ok();
    assert_eq!(run("us-east-1", &["--output", "json", "status"]).ok().json().len(), 1);
    assert_eq!(lines("us-east-1"), ["to us-east-1"]);
}

/// Creates a function that returns its region and its ARN, and invokes it.
async fn invoked(config: &aws_config::SdkConfig, role: &str) -> Value {
    let code = "import os\ndef handler(event, context):\n    return [os.environ['AWS_REGION'], context.invoked_function_arn]\n";
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(code.as_bytes()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    let lambda = aws_sdk_lambda::Client::new(config);
    let create = lambda.create_function().function_name("f").role(role).handler("index.handler");
    let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
    create.runtime(Runtime::from("python3.12")).code(code).send().await.unwrap();
    let answer = lambda.invoke().function_name("f").send().await.unwrap();
    serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap()
}

#[tokio::test]
async fn functions_of_one_name_see_the_region_that_each_is_in() {
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let endpoint = Endpoint::start();
    let config = endpoint.sdk_config().await;
    let iam = aws_sdk_iam::Client::new(&config);
    let role = iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    let role = role.role.unwrap().arn;
    for region in ["us-east-1", EU] {
        let config = config.clone().into_builder().region(Region::from_static(region)).build();
        let arn = format!("arn:aws:lambda:{region}:000000000000:function:f");
        assert_eq!(invoked(&config, &role).await, serde_json::json!([region, arn]));
    }
}

#[tokio::test]
async fn an_arn_of_another_region_is_not_found() {
    let endpoint = Endpoint::start();
    let config = endpoint.sdk_config().await;
    let in_region = |region| config.clone().into_builder().region(Region::from_static(region)).build();
    let [us, eu] = ["us-east-1", EU].map(in_region);
    let [us, eu] = [&us, &eu].map(aws_sdk_kinesis::Client::new);
    for kinesis in [&us, &eu] {
        kinesis.create_stream().stream_name("s").shard_count(1).send().await.unwrap();
    }
    let arn = async |kinesis: &aws_sdk_kinesis::Client| {
        let described = kinesis.describe_stream_summary().stream_name("s").send().await.unwrap();
        described.stream_description_summary.unwrap().stream_arn
    };
    let (in_us, in_eu) = (arn(&us).await, arn(&eu).await);
    assert_eq!(in_us, "arn:aws:kinesis:us-east-1:000000000000:stream/s");
    assert_eq!(in_eu, "arn:aws:kinesis:eu-central-1:000000000000:stream/s");
    let put = |kinesis: &aws_sdk_kinesis::Client, arn: &str| {
        kinesis.put_record().stream_arn(arn).partition_key("k").data(Blob::new("data")).send()
    };
    put(&eu, &in_eu).await.unwrap();
    let error = put(&eu, &in_us).await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let nowhere = aws_sdk_kinesis::Client::new(&in_region("nowhere"));
    let error = nowhere.list_streams().send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("InvalidSignatureException"));
    assert_eq!(error.meta().message(), Some("Credential should be scoped to a valid region, not 'nowhere'. "));
}

#[tokio::test]
async fn a_data_folder_keeps_its_regions_and_its_account() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let zip = function_zip().to_str().unwrap();
    let account = ["--data-dir", folder, "--account-id", "123456789012"];
    let mut endpoint = Endpoint::start_with(&account);
    endpoint.run(["--region", EU, "provision", "--zip", zip]).ok();
    endpoint.run(["--region", EU, "publish", "before"]).ok();
    endpoint.stop("-INT");

    let mut other = ops_cli();
    other.args(["local", "--port", "0", "--data-dir", folder, "--account-id", "210987654321"]);
    let refused = common::Run::of(&mut other);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("the data directory belongs to account 123456789012, not 210987654321"),
        "{refused:?}"
    );

    let endpoint = Endpoint::start_with(&["--data-dir", folder]);
    let config = endpoint.sdk_config().await.into_builder().region(Region::from_static(EU)).build();
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let described = kinesis.describe_stream_summary().stream_name("test-dev").send().await.unwrap();
    let arn = described.stream_description_summary.unwrap().stream_arn;
    assert_eq!(arn, "arn:aws:kinesis:eu-central-1:123456789012:stream/test-dev");
    // The mapping resumes without a request for the region.
    endpoint.run(["--region", EU, "publish", "after"]).ok();
    eventually("both lines", || {
        let tailed = endpoint.run(["--region", EU, "--output", "json", "tail"]).ok().stdout;
        (tailed.contains("before") && tailed.contains("after")).then_some(())
    });
    let none = endpoint.run(["--output", "json", "status"]);
    assert!(!none.stdout.contains("stream/test-dev"), "{none:?}");
}
