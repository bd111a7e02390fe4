//! Policy documents: their validity, and the principals that a trust policy allows.

use serde_json::Value;

use crate::error::AwsError;

/// Rejects a trust policy that IAM does not accept.
pub(super) fn check_trust_policy(document: &str) -> Result<(), AwsError> {
    let policy = parse(document, "This policy contains invalid Json")?;
    for statement in statements(&policy)? {
        check_effect(statement)?;
        if !has_any(statement, &["Principal", "NotPrincipal"]) {
            return Err(malformed("Missing required field Principal"));
        }
        for field in ["Principal", "NotPrincipal"] {
            check_principal(statement.get(field))?;
        }
        if !has_any(statement, &["Action", "NotAction"]) {
            return Err(malformed("Missing required field Action"));
        }
        if has_any(statement, &["Resource", "NotResource"]) {
            return Err(malformed("Has prohibited field Resource"));
        }
    }
    Ok(())
}

/// Rejects a permissions policy that IAM does not accept.
pub(super) fn check_permissions_policy(document: &str) -> Result<(), AwsError> {
    let policy = parse(document, "Syntax errors in policy.")?;
    for statement in statements(&policy)? {
        check_effect(statement)?;
        if has_any(statement, &["Principal", "NotPrincipal"]) {
            return Err(malformed("Policy document should not specify a principal."));
        }
        if !has_any(statement, &["Action", "NotAction"]) {
            return Err(malformed("Policy statement must contain actions."));
        }
        if !has_any(statement, &["Resource", "NotResource"]) {
            return Err(malformed("Policy statement must contain resources."));
        }
    }
    Ok(())
}

/// Whether a trust policy allows the service to assume the role: a statement allows it and none denies it. Conditions
/// are ignored.
pub(super) fn lets_assume(document: &str, service: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(document) else { return false };
    let about = |effect: &str| {
        one_or_many(policy.get("Statement")).any(|statement| {
            statement.get("Effect").and_then(Value::as_str) == Some(effect)
                && one_or_many(statement.get("Action")).filter_map(Value::as_str).any(is_assume_role)
                && names_service(statement.get("Principal"), service)
        })
    };
    about("Allow") && !about("Deny")
}

fn is_assume_role(action: &str) -> bool {
    ["sts:AssumeRole", "sts:*", "*"].iter().any(|assume| action.eq_ignore_ascii_case(assume))
}

fn names_service(principal: Option<&Value>, service: &str) -> bool {
    match principal {
        Some(Value::String(anyone)) => anyone == "*",
        Some(Value::Object(kinds)) => one_or_many(kinds.get("Service")).any(|name| name.as_str() == Some(service)),
        _ => false,
    }
}

/// Rejects a principal that cannot exist. Whether it exists is not checked.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn check_principal(principal: Option<&Value>) -> Result<(), AwsError> {
    for (kind, is_possible) in [("Service", is_service as fn(&str) -> bool), ("AWS", is_identity)] {
        let names = one_or_many(principal.and_then(|principal| principal.get(kind))).filter_map(Value::as_str);
        if let Some(other) = names.into_iter().find(|name| !is_possible(name)) {
            // Recorded for services, whose kind is in capitals. Unverified for the others.
            return Err(malformed(format!("Invalid principal in policy: \"{}\":\"{other}\"", kind.to_uppercase())));
        }
    }
    Ok(())
}

/// Whether the text has the form of a service's name. The endpoint has no list of AWS's services.
fn is_service(name: &str) -> bool {
    const ENDS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"];
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|name| !name.is_empty() && name.chars().all(is_label)))
}

/// Whether the text has the form of an account, of an identity's ARN, or of the unique ID that IAM shows for a deleted identity.
fn is_identity(name: &str) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = |text: &str| {
        text.starts_with('A') && text.len() >= 16 && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam" | "sts", "", account, resource] => {
            partition.starts_with("aws") && is_account(account) && !resource.is_empty()
        }
        _ => name == "*" || is_account(name) || is_id(name),
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];

fn parse(document: &str, refusal: &str) -> Result<Value, AwsError> {
    let policy: Option<Value> = serde_json::from_str(document).ok();
    let policy = policy.filter(Value::is_object).ok_or_else(|| malformed(refusal))?;
    let is_version = |version: &Value| version.as_str().is_some_and(|version| VERSIONS.contains(&version));
    if policy.get("Version").is_some_and(|version| !is_version(version)) {
        // Unverified: AWS's message.
        return Err(malformed("The policy must contain a valid version string"));
    }
    Ok(policy)
}

fn statements(policy: &Value) -> Result<Vec<&Value>, AwsError> {
    let statements: Vec<_> = one_or_many(policy.get("Statement")).collect();
    if statements.is_empty() || !statements.iter().all(|statement| statement.is_object()) {
        return Err(malformed("Missing required field Statement"));
    }
    Ok(statements)
}

fn check_effect(statement: &Value) -> Result<(), AwsError> {
    match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow" | "Deny") => Ok(()),
        Some(other) => Err(malformed(format!("Invalid effect: {other}"))),
        None => Err(malformed("Missing required field Effect")),
    }
}

fn has_any(statement: &Value, fields: &[&str]) -> bool {
    fields.iter().any(|field| statement.get(field).is_some())
}

/// The values of a member that is a single value or a list.
fn one_or_many(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let many = value.and_then(Value::as_array);
    let one = if many.is_some() { None } else { value };
    one.into_iter().chain(many.into_iter().flatten())
}

fn malformed(text: impl Into<String>) -> AwsError {
    AwsError::bad_request("MalformedPolicyDocument", text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trust(effect: &str, action: Value, principal: Value) -> Value {
        json!({"Effect": effect, "Action": action, "Principal": principal})
    }

    #[test]
    fn lambda_can_assume_a_role_whose_trust_policy_names_it() {
        let lambda = || json!({"Service": "lambda.amazonaws.com"});
        let cases = [
            (json!(trust("Allow", json!("sts:AssumeRole"), lambda())), true),
            (
                json!([trust(
                    "Allow",
                    json!(["sts:TagSession", "sts:assumerole"]),
                    json!({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]})
                )]),
                true,
            ),
            (json!([trust("Allow", json!("sts:AssumeRole"), json!("*"))]), true),
            (json!([trust("Allow", json!("sts:AssumeRole"), json!({"Service": "ec2.amazonaws.com"}))]), false),
            (json!([trust("Allow", json!("sts:AssumeRole"), json!({"AWS": "lambda.amazonaws.com"}))]), false),
            (json!([trust("Allow", json!("sts:TagSession"), lambda())]), false),
            (json!([trust("Allow", json!("*"), lambda()), trust("Deny", json!("sts:*"), lambda())]), false),
            (json!([]), false),
        ];
        for (statement, expected) in cases {
            let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
            assert_eq!(lets_assume(&document, "lambda.amazonaws.com"), expected, "{document}");
        }
    }

    #[test]
    fn a_principal_that_cannot_exist_is_rejected() {
        let check = |principal: Value| {
            let statement = trust("Allow", json!("sts:AssumeRole"), principal);
            check_trust_policy(&json!({"Statement": statement}).to_string()).map_err(|error| error.message)
        };
        for principal in [
            json!("*"),
            json!({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com.cn", "ecs-tasks.amazonaws.com"]}),
            json!({"AWS": ["*", "111111111111", "arn:aws:iam::111111111111:root", "arn:aws:sts::111111111111:assumed-role/r/s"]}),
            json!({"AWS": "AROAEXAMPLEEXAMPLE12"}),
            json!({"Federated": "cognito-identity.amazonaws.com"}),
        ] {
            assert_eq!(check(principal.clone()), Ok(()), "{principal}");
        }
        for (kind, name) in [
            ("Service", "nosuch.x"),
            ("Service", ".amazonaws.com"),
            ("AWS", "lambda.amazonaws.com"),
            ("AWS", "arn:aws:iam::12:root"),
        ] {
            let expected = format!("Invalid principal in policy: \"{}\":\"{name}\"", kind.to_uppercase());
            assert_eq!(check(json!({kind: name})), Err(expected));
        }
    }

    #[test]
    fn malformed_documents_are_rejected_with_the_reason() {
        let text = |document: Value| check_trust_policy(&document.to_string()).unwrap_err().message;
        assert_eq!(check_trust_policy("{").unwrap_err().message, "This policy contains invalid Json");
        assert_eq!(text(json!({"Version": "2012-10-17"})), "Missing required field Statement");
        assert_eq!(
            text(json!({"Statement": [{"Effect": "Allow", "Action": "a"}]})),
            "Missing required field Principal"
        );
        assert_eq!(
            text(json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "a", "Resource": "*"}})),
            "Has prohibited field Resource"
        );
        assert_eq!(
            text(json!({"Statement": {"Effect": "allow", "Principal": "*", "Action": "a"}})),
            "Invalid effect: allow"
        );
        for version in [json!("2013-01-01"), json!(""), json!(2012)] {
            let document =
                json!({"Version": version, "Statement": trust("Allow", json!("sts:AssumeRole"), json!("*"))});
            assert_eq!(text(document.clone()), "The policy must contain a valid version string");
            assert!(check_permissions_policy(&document.to_string()).is_err());
        }
        let permissions = json!({"Statement": {"Effect": "Allow", "Action": "kinesis:*", "Resource": "*"}});
        assert!(check_permissions_policy(&permissions.to_string()).is_ok());
        assert_eq!(check_trust_policy("[]").unwrap_err().code, "MalformedPolicyDocument");
    }
}
