use std::path::Path;

use bytes::Bytes;
use http::Request as HttpRequest;

use super::*;
use crate::validation;

const ALL: [ServiceName; 5] =
    [ServiceName::Kinesis, ServiceName::Lambda, ServiceName::Logs, ServiceName::Iam, ServiceName::Sts];
const BEGIN: &str = "<!-- Generated from the declarations: UPDATE_GOLDEN=1 cargo test -p local-aws operations -->\n";
const END: &str = "\n<!-- -->\n";

fn names(service: ServiceName) -> Vec<&'static str> {
    operations(service).filter(|operation| operation.is_listed).map(|operation| operation.name).collect()
}

#[test]
fn the_documentation_lists_every_supported_operation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("docs/operations.md has the table's beginning");
    let (table, after) = rest.split_once(END).expect("docs/operations.md has the table's end");
    let rows = ALL.map(|service| {
        let mut names = names(service);
        names.sort_unstable();
        format!("| {} | {} |\n", service.name(), names.join(", "))
    });
    let expected = format!("| service | operations |\n|---|---|\n{}", rows.concat());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, expected, "UPDATE_GOLDEN=1 writes it");
    }
}

#[test]
fn an_operation_is_declared_once() {
    for service in ALL {
        let mut names = names(service);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{service:?}");
    }
}

/// A declared operation that its service does not support would lead to an error.
#[tokio::test]
async fn every_declared_operation_is_supported_by_its_service() {
    let services = Services::open(Config::default()).await.unwrap();
    for operation in ALL.into_iter().flat_map(operations) {
        let (method, path) = match operation.route {
            Some(route) => (route.method(), route.template().replace(['{', '}'], "")),
            None => ("POST", "/".to_owned()),
        };
        let request = HttpRequest::builder().method(method).uri(path).header("content-type", "application/json");
        let request = Request::new(operation, request.body(Bytes::from_static(b"{}")).unwrap());
        if let Err(error) = services.answer(request).await {
            let is_unknown = ["UnknownOperationException", "InvalidAction"].contains(&error.code.as_ref());
            assert!(!is_unknown, "{}: {error:?}", operation.name);
        }
    }
}

#[test]
fn every_declared_operation_has_a_table_of_its_input() {
    for (service, model) in [
        (ServiceName::Kinesis, &validation::KINESIS),
        (ServiceName::Lambda, &validation::LAMBDA),
        (ServiceName::Logs, &validation::LOGS),
        (ServiceName::Iam, &validation::IAM),
        (ServiceName::Sts, &validation::STS),
    ] {
        for operation in names(service) {
            assert!(model.has_operation(operation), "run models/generate.py: {operation} is not in its table");
        }
    }
}

/// An operation that changes something must be rejected once nothing is persisted any more.
#[test]
fn operations_declared_read_only_have_read_only_names() {
    let verbs = ["Describe", "DownloadCode", "Filter", "Get", "List", "StartLiveTail", "SubscribeToShard"];
    for operation in ALL.into_iter().flat_map(operations) {
        let is_expected = verbs.iter().any(|verb| operation.name.starts_with(verb));
        assert_eq!(operation.is_read_only, is_expected, "{}", operation.name);
    }
}
