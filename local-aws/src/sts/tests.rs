use std::collections::BTreeMap;

use super::*;
use crate::iam::Iam;
use crate::operation::tests::call_query;
use crate::store::Store;

#[test]
fn the_caller_is_the_account() {
    let sts = Sts::new(Iam::open("123456789012", Store::default()).unwrap());
    let body = call_query(&sts, "GetCallerIdentity", &BTreeMap::new(), None).unwrap();
    assert!(body.starts_with(
        r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>"#
    ));
    assert!(body.contains("<Account>123456789012</Account>"), "{body}");
    assert!(body.contains("<Arn>arn:aws:iam::123456789012:root</Arn>"), "{body}");
}

#[test]
fn an_unsupported_action_is_named_in_the_error() {
    let sts = Sts::new(Iam::open("123456789012", Store::default()).unwrap());
    let error = call_query(&sts, "AssumeRole", &BTreeMap::new(), None).unwrap_err();
    assert_eq!(error.code, "InvalidAction");
    assert!(error.message.contains("AssumeRole"));
}
