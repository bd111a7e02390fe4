//! Tests of the actions: parameters in, XML out.

use std::collections::BTreeMap;

use super::Iam;
use crate::error::AwsError;
use crate::operation::tests::call_query;
use crate::store::Store;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const POLICY_DOCUMENT: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const POLICY: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole";

fn call(iam: &Iam, action: &str, parameters: &[(&str, &str)]) -> Result<String, AwsError> {
    let parameters: BTreeMap<_, _> = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    call_query(iam, action, &parameters, None)
}

fn ok(iam: &Iam, action: &str, parameters: &[(&str, &str)]) -> String {
    match call(iam, action, parameters) {
        Ok(body) => body,
        Err(error) => panic!("{action}: {error:?}"),
    }
}

/// The status, code and message of an expected error.
fn refused(iam: &Iam, action: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
    match call(iam, action, parameters) {
        Ok(body) => panic!("{action} answered {body}"),
        Err(error) => (error.status, error.code.into_owned(), error.message),
    }
}

/// The texts of all elements with this name, in order.
fn texts<'a>(body: &'a str, element: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    body.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap()).collect()
}

fn with_role(name: &str) -> Iam {
    let iam = Iam::open("000000000000", Store::default()).unwrap();
    ok(&iam, "CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", TRUST)]);
    iam
}

#[test]
fn a_created_role_is_found() {
    let iam = Iam::open("000000000000", Store::default()).unwrap();
    let created = ok(
        &iam,
        "CreateRole",
        &[
            ("RoleName", "r"),
            ("AssumeRolePolicyDocument", TRUST),
            ("Path", "/service-role/"),
            ("Description", "a < b"),
            ("Tags.member.1.Key", "app"),
            ("Tags.member.1.Value", "x/y"),
            ("Tags.member.2.Key", "stage"),
            ("Tags.member.2.Value", ""),
        ],
    );
    assert!(created.starts_with(r#"<CreateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateRoleResult><Role><Path>/service-role/</Path><RoleName>r</RoleName><RoleId>AROA"#), "{created}");
    assert!(created.ends_with("</RequestId></ResponseMetadata></CreateRoleResponse>"), "{created}");
    let got = ok(&iam, "GetRole", &[("RoleName", "r")]);
    for body in [&created, &got] {
        assert_eq!(texts(body, "Arn"), ["arn:aws:iam::000000000000:role/service-role/r"]);
        assert_eq!(texts(body, "Description"), ["a &lt; b"]);
        assert_eq!((texts(body, "Key"), texts(body, "Value")), (vec!["app", "stage"], vec!["x/y", ""]));
        assert!(texts(body, "AssumeRolePolicyDocument")[0].starts_with("%7B%22Version%22%3A%222012-10-17%22"));
        assert_eq!(
            (texts(body, "RoleId")[0].len(), texts(body, "CreateDate")[0].len()),
            (21, "2025-01-01T00:00:00Z".len())
        );
    }
    assert_eq!(texts(&created, "RoleId"), texts(&got, "RoleId"));
    assert!(iam.role_exists("arn:aws:iam::000000000000:role/service-role/r"));
    assert!(iam.assumable_by_lambda("arn:aws:iam::000000000000:role/service-role/r"));
    assert!(!iam.role_exists("arn:aws:iam::000000000000:role/r") && !iam.assumable_by_lambda("r"));
}

#[test]
fn invalid_roles_get_awss_messages() {
    let iam = with_role("r");
    let create = |name: &str, document: &str| {
        refused(&iam, "CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", document)])
    };
    assert_eq!(create("R", TRUST), (409, "EntityAlreadyExists".into(), "Role with name R already exists.".into()));
    let invalid = "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
    assert_eq!(create("a b", TRUST), (400, "ValidationError".into(), invalid.into()));
    let long = "x".repeat(65);
    let text = format!(
        "1 validation error detected: Value '{long}' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"
    );
    assert_eq!(create(&long, TRUST), (400, "ValidationError".into(), text));
    assert_eq!(create("s", "{").1, "MalformedPolicyDocument");
    assert_eq!(refused(&iam, "CreateRole", &[("RoleName", "s")]).1, "ValidationError");
    let missing = (404, "NoSuchEntity".into(), "The role with name s cannot be found.".into());
    assert_eq!(refused(&iam, "GetRole", &[("RoleName", "s")]), missing);
    let short = [("RoleName", "s"), ("AssumeRolePolicyDocument", TRUST), ("MaxSessionDuration", "60")];
    assert_eq!(
        refused(&iam, "CreateRole", &short).2,
        "1 validation error detected: Value '60' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600"
    );
}

#[test]
fn a_policy_that_cannot_be_attached_is_refused() {
    let iam = with_role("r");
    let own = "arn:aws:iam::000000000000:policy/missing";
    let missing = (404, "NoSuchEntity".to_owned(), format!("Policy {own} does not exist or is not attachable."));
    let text = "this-is-not-an-arn-at-all";
    let invalid = (400, "InvalidInput".to_owned(), format!("ARN {text} is not valid."));
    for (action, member) in [("AttachRolePolicy", "PolicyArn"), ("PutRolePermissionsBoundary", "PermissionsBoundary")] {
        assert_eq!(refused(&iam, action, &[("RoleName", "r"), (member, own)]), missing, "{action}");
        assert_eq!(refused(&iam, action, &[("RoleName", "r"), (member, text)]), invalid, "{action}");
    }
    assert_eq!(texts(&ok(&iam, "GetRole", &[("RoleName", "r")]), "PermissionsBoundary"), [""; 0]);
}

#[test]
fn a_role_with_policies_is_not_deleted() {
    let iam = with_role("r");
    let attach = [("RoleName", "r"), ("PolicyArn", POLICY)];
    ok(&iam, "AttachRolePolicy", &attach);
    ok(&iam, "AttachRolePolicy", &attach);
    let listed = ok(&iam, "ListAttachedRolePolicies", &[("RoleName", "r")]);
    assert_eq!(texts(&listed, "PolicyName"), ["AWSLambdaKinesisExecutionRole"]);
    assert_eq!((texts(&listed, "PolicyArn"), texts(&listed, "IsTruncated")), (vec![POLICY], vec!["false"]));
    let inline = [
        ("RoleName", "r"),
        ("PolicyName", "p"),
        ("PolicyDocument", r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#),
    ];
    ok(&iam, "PutRolePolicy", &inline);
    let delete = |text: &str| {
        assert_eq!(refused(&iam, "DeleteRole", &[("RoleName", "r")]), (409, "DeleteConflict".into(), text.into()))
    };
    delete("Cannot delete entity, must detach all policies first.");
    ok(&iam, "DetachRolePolicy", &attach);
    delete("Cannot delete entity, must delete policies first.");
    assert_eq!(texts(&ok(&iam, "ListRolePolicies", &[("RoleName", "r")]), "member"), ["p"]);
    let got = ok(&iam, "GetRolePolicy", &inline[..2]);
    assert!(texts(&got, "PolicyDocument")[0].starts_with("%7B%22Statement%22"));
    ok(&iam, "DeleteRolePolicy", &inline[..2]);
    assert_eq!(refused(&iam, "DeleteRolePolicy", &inline[..2]).2, "The role policy with name p cannot be found.");
    assert_eq!(
        refused(&iam, "DetachRolePolicy", &attach),
        (404, "NoSuchEntity".into(), format!("Policy {POLICY} was not found."))
    );
    assert!(
        ok(&iam, "ListInstanceProfilesForRole", &[("RoleName", "r")])
            .contains("<InstanceProfiles></InstanceProfiles><IsTruncated>false</IsTruncated>")
    );
    let deleted = ok(&iam, "DeleteRole", &[("RoleName", "r")]);
    assert!(
        deleted
            .starts_with(r#"<DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>"#),
        "{deleted}"
    );
    assert_eq!(refused(&iam, "DeleteRole", &[("RoleName", "r")]).0, 404);
}

#[test]
fn only_managed_policies_of_aws_are_attached() {
    let iam = with_role("r");
    for arn in [
        "arn:aws:iam::000000000000:policy/mine",
        "arn:aws:iam::aws:policy/",
        "arn:aws:iam::aws:policy/a//b",
        "arn:aws:iam::aws:policy/a b",
    ] {
        let text = format!("Policy {arn} does not exist or is not attachable.");
        assert_eq!(
            refused(&iam, "AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", arn)]),
            (404, "NoSuchEntity".into(), text)
        );
    }
}

#[test]
fn tags_are_added_replaced_and_removed() {
    let iam = with_role("r");
    let tag = [
        ("RoleName", "r"),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "b"),
        ("Tags.member.2.Value", "2"),
    ];
    ok(&iam, "TagRole", &tag);
    ok(&iam, "TagRole", &[("RoleName", "r"), ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "3")]);
    let listed = ok(&iam, "ListRoleTags", &[("RoleName", "r")]);
    assert_eq!((texts(&listed, "Key"), texts(&listed, "Value")), (vec!["a", "b"], vec!["3", "2"]));
    ok(&iam, "UntagRole", &[("RoleName", "r"), ("TagKeys.member.1", "a"), ("TagKeys.member.2", "missing")]);
    assert_eq!(texts(&ok(&iam, "ListRoleTags", &[("RoleName", "r")]), "Key"), ["b"]);
    for bad in ["", "a<b", "aws:x"] {
        refused(&iam, "TagRole", &[("RoleName", "r"), ("Tags.member.1.Key", bad), ("Tags.member.1.Value", "1")]);
    }
}

#[test]
fn tag_keys_are_not_distinguished_by_case_and_50_fit() {
    let iam = with_role("r");
    let tag = |key: &str| {
        [("RoleName", "r"), ("Tags.member.1.Key", key), ("Tags.member.1.Value", "v")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
    };
    for number in 0..50 {
        call_query(&iam, "TagRole", &tag(&format!("key{number}")).into(), None).unwrap();
    }
    // It replaces the tag whose key differs in case, so the limit is not exceeded.
    call_query(&iam, "TagRole", &tag("KEY7").into(), None).unwrap();
    let error = call_query(&iam, "TagRole", &tag("another").into(), None).unwrap_err();
    assert_eq!((error.status, error.code.as_ref()), (409, "LimitExceeded"));
    let listed = ok(&iam, "ListRoleTags", &[("RoleName", "r")]);
    assert_eq!(texts(&listed, "Key").len(), 50);
    assert!(texts(&listed, "Key").contains(&"KEY7") && !texts(&listed, "Key").contains(&"key7"));
    let twice = [
        ("RoleName", "r"),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", "2"),
    ];
    assert_eq!(refused(&iam, "TagRole", &twice).1, "InvalidInput");
    ok(&iam, "UntagRole", &[("RoleName", "r"), ("TagKeys.member.1", "key7")]);
    assert_eq!(texts(&ok(&iam, "ListRoleTags", &[("RoleName", "r")]), "Key").len(), 49);
}

#[test]
fn a_role_is_changed_member_by_member() {
    let iam = with_role("r");
    let role = ("RoleName", "r");
    let updated = ok(&iam, "UpdateRole", &[role, ("Description", "d"), ("MaxSessionDuration", "7200")]);
    assert!(updated.contains("<UpdateRoleResult></UpdateRoleResult>"), "{updated}");
    // Members that the request does not contain are unchanged.
    ok(&iam, "UpdateRole", &[role, ("MaxSessionDuration", "3600")]);
    let described = ok(&iam, "UpdateRoleDescription", &[role, ("Description", "e")]);
    assert_eq!((texts(&described, "Description"), texts(&described, "MaxSessionDuration")), (vec!["e"], vec!["3600"]));
    let trust = TRUST.replace("lambda", "ec2");
    ok(&iam, "UpdateAssumeRolePolicy", &[role, ("PolicyDocument", &trust)]);
    assert!(!iam.assumable_by_lambda("arn:aws:iam::000000000000:role/r"));
    assert_eq!(refused(&iam, "UpdateAssumeRolePolicy", &[role, ("PolicyDocument", "{")]).1, "MalformedPolicyDocument");
    ok(&iam, "PutRolePermissionsBoundary", &[role, ("PermissionsBoundary", POLICY)]);
    let got = ok(&iam, "GetRole", &[role]);
    assert_eq!((texts(&got, "PermissionsBoundaryArn"), texts(&got, "Description")), (vec![POLICY], vec!["e"]));
    ok(&iam, "DeleteRolePermissionsBoundary", &[role]);
    assert!(texts(&ok(&iam, "GetRole", &[role]), "PermissionsBoundaryArn").is_empty());
    for action in ["UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy", "DeleteRolePermissionsBoundary"] {
        let more = [("RoleName", "s"), ("Description", ""), ("PolicyDocument", TRUST)];
        assert_eq!(refused(&iam, action, &more).0, 404, "{action}");
    }
}

#[test]
fn an_instance_profile_has_one_role_and_protects_it_from_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Iam::open("000000000000", Store::open(Some(dir.path())).unwrap()).unwrap();
    let iam = open();
    ok(&iam, "CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST)]);
    let (profile, role) = (("InstanceProfileName", "p"), ("RoleName", "r"));
    let unknown = (404, "NoSuchEntity".to_owned(), "Instance Profile p cannot be found.".to_owned());
    for action in ["GetInstanceProfile", "DeleteInstanceProfile", "AddRoleToInstanceProfile"] {
        assert_eq!(refused(&iam, action, &[profile, role]), unknown, "{action}");
    }
    let created = ok(&iam, "CreateInstanceProfile", &[profile, ("Path", "/x/")]);
    assert_eq!(texts(&created, "Arn"), ["arn:aws:iam::000000000000:instance-profile/x/p"]);
    assert!(texts(&created, "InstanceProfileId")[0].starts_with("AIPA") && created.contains("<Roles></Roles>"));
    assert_eq!(refused(&iam, "CreateInstanceProfile", &[("InstanceProfileName", "P")]).1, "EntityAlreadyExists");
    ok(&iam, "AddRoleToInstanceProfile", &[profile, role]);
    assert_eq!(refused(&iam, "AddRoleToInstanceProfile", &[profile, role]).1, "LimitExceeded");
    drop(iam);

    let iam = open();
    let got = ok(&iam, "GetInstanceProfile", &[profile]);
    assert_eq!(texts(&got, "RoleName"), ["r"]);
    for (action, parameters) in
        [("ListInstanceProfiles", [("PathPrefix", "/x/")]), ("ListInstanceProfilesForRole", [role])]
    {
        assert_eq!(texts(&ok(&iam, action, &parameters), "InstanceProfileName"), ["p"], "{action}");
    }
    assert_eq!(refused(&iam, "DeleteRole", &[role]).1, "DeleteConflict");
    assert_eq!(refused(&iam, "DeleteInstanceProfile", &[profile]).1, "DeleteConflict");
    ok(&iam, "RemoveRoleFromInstanceProfile", &[profile, role]);
    assert_eq!(refused(&iam, "RemoveRoleFromInstanceProfile", &[profile, role]).0, 404);
    ok(&iam, "DeleteInstanceProfile", &[profile]);
    ok(&iam, "DeleteRole", &[role]);
    drop(iam);
    assert!(texts(&ok(&open(), "ListInstanceProfiles", &[]), "InstanceProfileName").is_empty());
}

#[test]
fn tags_of_instance_profiles_work_like_those_of_roles() {
    let iam = with_role("r");
    let profile = ("InstanceProfileName", "p");
    let tag = |key, value| [profile, ("Tags.member.1.Key", key), ("Tags.member.1.Value", value)];
    for action in ["TagInstanceProfile", "ListInstanceProfileTags"] {
        assert_eq!(refused(&iam, action, &tag("k", "v")).1, "NoSuchEntity", "{action}");
    }
    ok(&iam, "CreateInstanceProfile", &tag("a", "1"));
    ok(&iam, "TagInstanceProfile", &tag("A", "2"));
    ok(&iam, "TagInstanceProfile", &tag("b", "3"));
    let listed = ok(&iam, "ListInstanceProfileTags", &[profile]);
    assert_eq!((texts(&listed, "Key"), texts(&listed, "Value")), (vec!["A", "b"], vec!["2", "3"]));
    assert_eq!(refused(&iam, "TagInstanceProfile", &tag("aws:x", "")).1, "InvalidInput");
    ok(&iam, "UntagInstanceProfile", &[profile, ("TagKeys.member.1", "B"), ("TagKeys.member.2", "missing")]);
    let got = ok(&iam, "GetInstanceProfile", &[profile]);
    assert_eq!(texts(&got, "Value"), ["2"]);
}

#[test]
fn policies_are_listed_with_their_use() {
    let iam = with_role("r");
    let list = |parameters: &[(&str, &str)]| ok(&iam, "ListPolicies", parameters);
    assert!(texts(&list(&[]), "Arn").contains(&POLICY));
    assert!(texts(&list(&[("Scope", "Local")]), "Arn").is_empty());
    assert!(texts(&list(&[("OnlyAttached", "true")]), "Arn").is_empty());
    let other = "arn:aws:iam::aws:policy/job-function/Billing";
    for arn in [POLICY, other] {
        ok(&iam, "AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", arn)]);
    }
    let attached = list(&[("OnlyAttached", "true"), ("Scope", "AWS")]);
    assert_eq!((texts(&attached, "Arn"), texts(&attached, "AttachmentCount")), (vec![other, POLICY], vec!["1", "1"]));
    assert_eq!(
        (texts(&attached, "Path"), texts(&attached, "PolicyName")[0]),
        (vec!["/job-function/", "/service-role/"], "Billing")
    );
    assert_eq!(texts(&list(&[("PathPrefix", "/job-function/")]), "Arn"), [other]);
    let first = list(&[("MaxItems", "1")]);
    let second = list(&[("MaxItems", "1"), ("Marker", texts(&first, "Marker")[0])]);
    assert!(texts(&first, "Arn") < texts(&second, "Arn"));
    assert!(ok(&iam, "ListAccountAliases", &[]).contains("<AccountAliases></AccountAliases><IsTruncated>false"));
}

#[test]
fn lists_are_paginated() {
    let iam = Iam::open("000000000000", Store::default()).unwrap();
    for name in ["a", "b", "c"] {
        ok(
            &iam,
            "CreateRole",
            &[("RoleName", name), ("AssumeRolePolicyDocument", TRUST), ("Path", if name == "c" { "/x/" } else { "/" })],
        );
    }
    let first = ok(&iam, "ListRoles", &[("MaxItems", "2")]);
    assert_eq!((texts(&first, "RoleName"), texts(&first, "IsTruncated")), (vec!["a", "b"], vec!["true"]));
    let second = ok(&iam, "ListRoles", &[("MaxItems", "2"), ("Marker", texts(&first, "Marker")[0])]);
    assert_eq!((texts(&second, "RoleName"), texts(&second, "IsTruncated")), (vec!["c"], vec!["false"]));
    assert_eq!(texts(&ok(&iam, "ListRoles", &[("PathPrefix", "/x/")]), "RoleName"), ["c"]);
    assert_eq!(refused(&iam, "ListRoles", &[("Marker", "zz")]).1, "ValidationError");
}

#[test]
fn unknown_actions_are_named() {
    let iam = Iam::open("000000000000", Store::default()).unwrap();
    let (status, code, text) = refused(&iam, "CreateUser", &[]);
    assert_eq!((status, code.as_str()), (400, "InvalidAction"));
    assert!(text.contains("CreateUser"));
}

#[test]
fn a_restart_restores_roles() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Iam::open("000000000000", Store::open(Some(dir.path())).unwrap()).unwrap();
    let whole = |iam: &Iam| {
        let role = [("RoleName", "r")];
        let parts = ["GetRole", "ListAttachedRolePolicies", "ListRolePolicies", "ListRoleTags"];
        parts.map(|part| {
            let body = ok(iam, part, &role);
            body.split("<ResponseMetadata>").next().unwrap().to_owned()
        })
    };
    let iam = open();
    for name in ["r", "gone"] {
        ok(&iam, "CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", TRUST), ("Description", "d")]);
    }
    ok(&iam, "DeleteRole", &[("RoleName", "gone")]);
    ok(&iam, "AttachRolePolicy", &[("RoleName", "r"), ("PolicyArn", POLICY)]);
    ok(&iam, "PutRolePolicy", &[("RoleName", "r"), ("PolicyName", "p"), ("PolicyDocument", POLICY_DOCUMENT)]);
    ok(&iam, "TagRole", &[("RoleName", "r"), ("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")]);
    let left = whole(&iam);
    assert!(left[1].contains(POLICY) && left[2].contains("<member>p</member>") && left[3].contains("<Value>v</Value>"));
    drop(iam);

    let iam = open();
    assert_eq!(whole(&iam), left);
    assert_eq!(texts(&ok(&iam, "ListRoles", &[]), "RoleName"), ["r"]);
    ok(&iam, "DetachRolePolicy", &[("RoleName", "r"), ("PolicyArn", POLICY)]);
    ok(&iam, "DeleteRolePolicy", &[("RoleName", "r"), ("PolicyName", "p")]);
    ok(&iam, "UntagRole", &[("RoleName", "r"), ("TagKeys.member.1", "k")]);
    let left = whole(&iam);
    drop(iam);
    assert_eq!(whole(&open()), left);
}
