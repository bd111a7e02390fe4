//! The declarations of operations.

use http::Method;

use crate::lambda::{Lambda, not_supported};
use crate::operation::{Operation, Service};

/// The operation at a method and path, supported or not.
fn operation(method: Method, path: &str) -> Option<String> {
    let is_here = |operation: &&Operation<Lambda>| {
        operation.metadata.route.as_ref().is_some_and(|route| route.members(&method, path).is_some())
    };
    if let Some(operation) = Lambda::operations().iter().find(is_here) {
        return Some(operation.metadata.name.to_owned());
    }
    let error = not_supported(&method, path);
    let name = error.message.trim_end_matches('.').rsplit(' ').next()?;
    (error.status == 400).then(|| name.to_owned())
}

#[test]
fn a_path_names_its_operation_and_resource() {
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";
    let untag = Lambda::operations().iter().find(|operation| operation.metadata.name == "UntagResource").unwrap();
    let route = untag.metadata.route.as_ref().unwrap();
    let members = route.members(&Method::DELETE, &format!("/2017-03-31/tags/{arn}")).unwrap();
    assert_eq!(members, ["arn:aws:lambda:us-east-1:000000000000:function:f"]);
    let name = |method, path| operation(method, path).unwrap_or_default();
    assert_eq!(name(Method::POST, "/2015-03-31/functions"), "CreateFunction");
    assert_eq!(name(Method::GET, "/2015-03-31/functions/"), "ListFunctions");
    assert_eq!(name(Method::POST, "/2015-03-31/functions/f/invocations"), "Invoke");
    assert_eq!(name(Method::GET, "/2015-03-31/event-source-mappings/1-2"), "GetEventSourceMapping");
    assert_eq!(name(Method::PUT, "/2017-10-31/functions/f/concurrency"), "PutFunctionConcurrency");
    assert_eq!(name(Method::GET, "/2018-10-31/layers"), "ListLayers");
}

#[test]
fn a_path_that_lambda_does_not_have_names_no_operation() {
    assert_eq!(operation(Method::PATCH, "/2015-03-31/functions"), None);
    assert_eq!(operation(Method::GET, "/2015-03-31/functions/f/configuration/more"), None);
    assert_eq!(operation(Method::GET, "/"), None);
}
