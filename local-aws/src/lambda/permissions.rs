//! Resource-based policies of functions, versions and aliases: kept for those who set and read them. No request is refused
//! for want of a permission.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::function::Function;
use super::functions::Functions;
use super::names::{LATEST, Reference, function_arn, is_number, partition};
use super::persist::Changed;
use super::validation::{ARN, Constraints, Pattern, conflict, invalid_parameter, not_found};
use super::wire::{self, Query};
use crate::error::AwsError;

const ACCOUNT: Pattern =
    Pattern { regex: r"\d{12}", matches: |value| value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()) };
const TOKEN: Pattern = Pattern {
    regex: r"[a-zA-Z0-9._\-]+",
    matches: |value| !value.is_empty() && value.chars().all(|c| is_word(c) || c == '.'),
};
const ORGANIZATION: Pattern = Pattern { regex: "o-[a-z0-9]{10,32}", matches: is_organization };
const STATEMENT: Pattern = Pattern {
    regex: "([a-zA-Z0-9-_.]+)",
    matches: |value| !value.is_empty() && value.chars().all(|c| is_word(c) || c == '.'),
};

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_".contains(c)
}

fn is_organization(value: &str) -> bool {
    let id = value.strip_prefix("o-").unwrap_or_default();
    (10..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(default)]
    statement_id: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
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

impl Input {
    fn check(&self) -> Result<(), AwsError> {
        let mut constraints = Constraints::default();
        let id = &self.statement_id;
        constraints.pattern(!id.is_empty() && id.chars().all(is_word), id, "statementId", "([a-zA-Z0-9-_]+)");
        constraints.max_length(Some(id), "statementId", 100);
        let name = self.action.strip_prefix("lambda:").unwrap_or(&self.action);
        let is_action = name == "*"
            || (name.len() < self.action.len() && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic()));
        constraints.pattern(is_action, &self.action, "action", "(lambda:[*]|lambda:[a-zA-Z]+|[*])");
        constraints.text(self.source_arn.as_deref(), "sourceArn", 0..=10_000, &ARN);
        constraints.text(self.source_account.as_deref(), "sourceAccount", 0..=12, &ACCOUNT);
        constraints.text(self.event_source_token.as_deref(), "eventSourceToken", 0..=256, &TOKEN);
        constraints.text(self.principal_org_id.as_deref(), "principalOrgID", 12..=34, &ORGANIZATION);
        let auth_type = self.function_url_auth_type.as_deref();
        constraints.one_of(auth_type, "functionUrlAuthType", &["NONE", "AWS_IAM"]);
        constraints.finish()
    }

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
            _ if principal.starts_with("arn:") => Ok(json!({ "AWS": principal })),
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

impl Functions {
    pub fn add_permission(&self, resource: &str, query: &Query, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Input = wire::read(body)?;
        let reference = Reference::read(resource, query.get("Qualifier"), self.config())?;
        input.check()?;
        if reference.qualifier.as_deref() == Some(LATEST) {
            return Err(invalid_parameter("We currently do not support adding policies for $LATEST."));
        }
        self.must_exist(&reference)?;
        let principal = input.principal(partition(self.config()))?;
        let statement = input.statement(&principal, &reference.arn(self.config()));
        self.change_policy(&reference, input.revision_id.as_deref(), |statements| {
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
        Ok(wire::json(201, &json!({ "Statement": statement.to_string() })))
    }

    pub fn remove_permission(&self, resource: &str, id: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let mut constraints = Constraints::default();
        constraints.text(Some(id), "statementId", 1..=100, &STATEMENT);
        constraints.finish()?;
        let reference = Reference::read(resource, query.get("Qualifier"), self.config())?;
        let missing = |_| not_found(format!("No policy found for: {}", function_arn(self.config(), &reference.name)));
        self.with_name(&reference.name, |_| ()).map_err(missing)?;
        self.must_exist(&reference)?;
        self.change_policy(&reference, query.get("RevisionId"), |statements| {
            if statements.is_empty() {
                return Err(not_found("No policy is associated with the given resource."));
            }
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != id);
            if statements.len() == before {
                return Err(not_found(format!("Statement {id} is not found in resource policy.")));
            }
            Ok(())
        })?;
        Ok(wire::empty(204))
    }

    pub fn get_policy(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, query.get("Qualifier"), self.config())?;
        let found = self.with_name(&reference.name, |latest| latest.policies.get(place(&reference)).cloned());
        let statements = found.ok().flatten().ok_or_else(|| not_found("The resource you requested does not exist."))?;
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
        let revision = self.revision(&reference)?;
        Ok(wire::json(200, &json!({ "Policy": policy.to_string(), "RevisionId": revision })))
    }

    /// Changes the statements of a policy, and with them the revision of what it is of.
    fn change_policy(
        &self,
        reference: &Reference,
        revision: Option<&str>,
        change: impl FnOnce(&mut Vec<Value>) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let present = self.revision(reference)?;
        if revision.is_some_and(|revision| revision != present) {
            return Err(AwsError::new(
                412,
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest \
                 Revision Id",
            ));
        }
        self.with_name(&reference.name, |latest| {
            let mut statements = latest.policies.get(place(reference)).cloned().unwrap_or_default();
            change(&mut statements)?;
            match statements.is_empty() {
                true => latest.policies.remove(place(reference)),
                false => latest.policies.insert(place(reference).to_owned(), statements),
            };
            if let Some(alias) = latest.aliases.get_mut(place(reference)) {
                alias.revision = Uuid::new_v4().to_string();
            }
            self.keep(latest, Changed::Configuration);
            Ok::<(), AwsError>(())
        })??;
        let is_alias = self.with_name(&reference.name, |latest| latest.aliases.contains_key(place(reference)))?;
        if !is_alias {
            self.with(reference, |function| {
                function.revision = Uuid::new_v4();
                self.keep(function, Changed::Configuration);
            })?;
        }
        Ok(())
    }

    /// That of the alias, if it is one.
    fn revision(&self, reference: &Reference) -> Result<String, AwsError> {
        let of_alias = |latest: &mut Function| latest.aliases.get(place(reference)).map(|alias| alias.revision.clone());
        match self.with_name(&reference.name, of_alias)? {
            Some(revision) => Ok(revision),
            None => self.with(reference, |function| function.revision.to_string()),
        }
    }

    /// # Errors
    /// There is no such function or version; an alias that there is not is named as one.
    fn must_exist(&self, reference: &Reference) -> Result<(), AwsError> {
        let is_alias = |text: &str| !is_number(text) && !text.contains('$');
        let is_function = self.with_name(&reference.name, |_| ()).is_ok();
        self.with(reference, |_| ()).map_err(|error| match &reference.qualifier {
            Some(qualifier) if is_function && is_alias(qualifier) => {
                not_found(format!("Cannot find alias arn: {}", reference.arn(self.config())))
            }
            _ => error,
        })
    }
}

/// Where a policy is kept: under the version's number, the alias's name, or `$LATEST` for the function's own.
fn place(reference: &Reference) -> &str {
    reference.qualifier.as_deref().unwrap_or(LATEST)
}
