//! AddPermission, RemovePermission and GetPolicy: resource-based policies of functions, versions and aliases. They are stored
//! and returned. The endpoint does not enforce them.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::function_input::FunctionInput;
use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::errors::{conflict, invalid_parameter, not_found, outdated_revision};
use crate::lambda::function::Function;
use crate::lambda::names::{LATEST, Reference, function_arn, is_number, partition};
use crate::lambda::{persistence, response};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddPermission {
    function_name: String,
    qualifier: Option<String>,
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
    revision_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RemovePermission {
    function_name: String,
    qualifier: Option<String>,
    statement_id: String,
    revision_id: Option<String>,
}

impl AddPermission {
    fn principal(&self, partition: &str) -> Result<Value, AwsError> {
        let principal = self.principal.as_str();
        let is_service =
            [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"].iter().any(|end| principal.ends_with(end));
        match principal {
            "*" => Ok(json!("*")),
            _ if is_service => Ok(json!({ "Service": principal })),
            _ if principal.len() == 12 && is_number(principal) => {
                Ok(json!({ "AWS": format!("arn:{partition}:iam::{principal}:root") }))
            }
            _ if is_identity(principal, partition) => Ok(json!({ "AWS": principal })),
            _ => {
                Err(invalid_parameter("The provided principal was invalid. Please check the principal and try again."))
            }
        }
    }

    fn statement(&self, principal: &Value, resource: &str) -> Value {
        let mut equals = Map::new();
        for (key, value) in [
            ("AWS:SourceAccount", &self.source_account),
            ("lambda:EventSourceToken", &self.event_source_token),
            ("lambda:FunctionUrlAuthType", &self.function_url_auth_type),
            ("aws:PrincipalOrgID", &self.principal_org_id),
        ] {
            equals.extend(value.as_ref().map(|value| (key.to_owned(), json!(value))));
        }
        let mut condition = Map::new();
        if !equals.is_empty() {
            condition.insert("StringEquals".into(), Value::Object(equals));
        }
        if let Some(arn) = &self.source_arn {
            condition.insert("ArnLike".into(), json!({ "AWS:SourceArn": arn }));
        }
        if let Some(via_url) = self.invoked_via_function_url {
            condition.insert("Bool".into(), json!({ "lambda:InvokedViaFunctionUrl": via_url.to_string() }));
        }
        let mut statement = json!({
            "Sid": self.statement_id, "Effect": "Allow", "Principal": principal, "Action": self.action,
            "Resource": resource,
        });
        if !condition.is_empty() {
            statement["Condition"] = Value::Object(condition);
        }
        statement
    }
}

/// Whether the text is the ARN of an identity: of a role, a user or the root of an account, or of a session. Whether the identity
/// exists is not checked.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn is_identity(text: &str, partition: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", in_arn, service, "", account, resource] = parts[..] else { return false };
    let kinds: &[&str] = match service {
        "iam" => &["role/", "user/"],
        "sts" => &["assumed-role/", "federated-user/"],
        _ => return false,
    };
    let is_named = kinds.iter().any(|kind| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()));
    let is_root = service == "iam" && resource == "root";
    in_arn == partition && account.len() == 12 && is_number(account) && (is_named || is_root)
}

pub fn add_permission(context: &Context, input: AddPermission) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, input.qualifier.as_deref(), &context.config)?;
    if reference.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid_parameter("We currently do not support adding policies for $LATEST."));
    }
    must_exist(context, &reference)?;
    let principal = input.principal(partition(&context.config))?;
    let statement = input.statement(&principal, &reference.arn(&context.config));
    change_policy(context, &reference, input.revision_id.as_deref(), |statements| {
        if statements.iter().any(|existing| existing["Sid"] == statement["Sid"]) {
            return Err(conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing \
                 statement.",
                input.statement_id
            )));
        }
        statements.push(statement.clone());
        Ok(())
    })?;
    Ok(response::json(201, &json!({ "Statement": statement.to_string() })))
}

pub fn remove_permission(context: &Context, input: RemovePermission) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, input.qualifier.as_deref(), &context.config)?;
    let missing = |_| not_found(format!("No policy found for: {}", function_arn(&context.config, &reference.name)));
    context.with_name(&reference.name, |_| ()).map_err(missing)?;
    must_exist(context, &reference)?;
    let id = input.statement_id;
    change_policy(context, &reference, input.revision_id.as_deref(), |statements| {
        if statements.is_empty() {
            return Err(not_found("No policy is associated with the given resource."));
        }
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != *id);
        if statements.len() == before {
            return Err(not_found(format!("Statement {id} is not found in resource policy.")));
        }
        Ok(())
    })?;
    Ok(response::empty(204))
}

pub fn get_policy(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let reference = input.reference(context)?;
    let found = context.with_name(&reference.name, |latest| latest.policies.get(qualifier(&reference)).cloned());
    let statements = found.ok().flatten().ok_or_else(|| not_found("The resource you requested does not exist."))?;
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    let revision = revision(context, &reference)?;
    Ok(response::json(200, &json!({ "Policy": policy.to_string(), "RevisionId": revision })))
}

/// Changes the statements of a policy, and the revision of the function, version or alias that has it.
fn change_policy(
    context: &Context,
    reference: &Reference,
    revision_id: Option<&str>,
    change: impl FnOnce(&mut Vec<Value>) -> Result<(), AwsError>,
) -> Result<(), AwsError> {
    let present = revision(context, reference)?;
    if revision_id.is_some_and(|revision| revision != present) {
        return Err(outdated_revision("GetPolicy"));
    }
    let is_alias = context.with_name(&reference.name, |latest| {
        let mut statements = latest.policies.get(qualifier(reference)).cloned().unwrap_or_default();
        change(&mut statements)?;
        match statements.is_empty() {
            true => latest.policies.remove(qualifier(reference)),
            false => latest.policies.insert(qualifier(reference).to_owned(), statements),
        };
        let alias = latest.aliases.get_mut(qualifier(reference));
        let is_alias = alias.map(|alias| alias.revision = Uuid::new_v4().to_string()).is_some();
        persistence::store(context, latest);
        Ok::<bool, AwsError>(is_alias)
    })??;
    if is_alias {
        return Ok(());
    }
    context.with(reference, |function| {
        function.revision = Uuid::new_v4();
        persistence::store(context, function);
    })
}

/// The revision of the alias, if the reference names one, or else of the function or version.
fn revision(context: &Context, reference: &Reference) -> Result<String, AwsError> {
    let of_alias = |latest: &mut Function| latest.aliases.get(qualifier(reference)).map(|alias| alias.revision.clone());
    match context.with_name(&reference.name, of_alias)? {
        Some(revision) => Ok(revision),
        None => context.with(reference, |function| function.revision.to_string()),
    }
}

/// # Errors The function, version or alias does not exist. The error for an alias has its own message.
fn must_exist(context: &Context, reference: &Reference) -> Result<(), AwsError> {
    let is_alias = |text: &str| !is_number(text) && !text.contains('$');
    let is_function = context.with_name(&reference.name, |_| ()).is_ok();
    context.must_exist(reference).map_err(|error| match &reference.qualifier {
        Some(qualifier) if is_function && is_alias(qualifier) => {
            not_found(format!("Cannot find alias arn: {}", reference.arn(&context.config)))
        }
        _ => error,
    })
}

/// The key of a policy: the version's number, the alias's name, or `$LATEST`.
fn qualifier(reference: &Reference) -> &str {
    reference.qualifier.as_deref().unwrap_or(LATEST)
}
