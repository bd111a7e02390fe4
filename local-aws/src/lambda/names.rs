//! References to functions: a name, a partial or a full ARN, each with or without a qualifier.

use serde_json::{Value, json};

use super::errors::{invalid_parameter, not_found};
use crate::config::Config;
use crate::error::AwsError;
use crate::region::is_region;
use crate::validation::LAMBDA;

/// The version that can be changed.
pub const LATEST: &str = "$LATEST";

const NAME_MAX: usize = 64;
/// A reference to a function, or to one of its versions and aliases.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub name: String,
    pub qualifier: Option<String>,
    partition: Option<String>,
    region: Option<String>,
    account: Option<String>,
}

impl Reference {
    /// Parses a name or an ARN, and the qualifier that a request contains separately.
    ///
    /// # Errors
    /// `ValidationException` for an invalid form, `InvalidParameterValueException` for two different qualifiers,
    /// `ResourceNotFoundException` for a function of another region, `AccessDeniedException` for one of another account.
    pub fn read(value: &str, qualifier: Option<&str>, config: &Config) -> Result<Self, AwsError> {
        let Some(mut reference) = parse(value) else {
            LAMBDA.check("NamespacedFunctionName", "functionName", &json!(value))?;
            return Err(not_found(value));
        };
        match (&reference.qualifier, qualifier) {
            (Some(derived), Some(given)) if derived != given => {
                return Err(invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (None, Some(given)) => reference.qualifier = Some(given.to_owned()),
            _ => {}
        }
        reference.must_be_reachable(config)?;
        Ok(reference)
    }

    /// Parses the name of a new function.
    ///
    /// # Errors
    /// As [`Reference::read`], and an error for a name of more than 64 characters.
    pub fn read_new(value: &str, config: &Config) -> Result<String, AwsError> {
        LAMBDA.check("FunctionName", "functionName", &json!(value))?;
        let Some(reference) = parse(value) else { return Err(invalid_parameter(value)) };
        if reference.name.len() > NAME_MAX {
            // Recorded: this length has an error code of its own.
            return Err(invalid_parameter(format!(
                "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: Member must have \
                 length less than or equal to {NAME_MAX}",
                reference.name
            )));
        }
        // Recorded: this error has no message.
        let denied = |error: AwsError| if error.code == DENIED { denied("") } else { error };
        reference.must_be_reachable(config).map_err(denied)?;
        Ok(reference.name)
    }

    fn must_be_reachable(&self, config: &Config) -> Result<(), AwsError> {
        if let Some(other) = self.partition.as_ref().filter(|other| *other != partition(config)) {
            // Unverified: AWS's error for an ARN of another partition.
            return Err(not_found(format!("Functions of the partition '{other}' are not reachable in this region.")));
        }
        if let Some(region) = self.region.as_ref().filter(|region| **region != config.region) {
            return Err(not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                config.region
            )));
        }
        if let Some(account) = self.account.as_ref().filter(|account| **account != config.account_id) {
            let (partition, region, name) = (partition(config), &config.region, self.qualified());
            return Err(denied(format!("arn:{partition}:lambda:{region}:{account}:function:{name}")));
        }
        Ok(())
    }

    /// The ARN, with the qualifier if there is one.
    pub fn arn(&self, config: &Config) -> String {
        function_arn(config, &self.qualified())
    }

    /// The name, with the qualifier if there is one.
    pub fn qualified(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The shape of the model for a function whose versions and aliases an operation does not accept. Operations that accept them
/// have the shape `NamespacedFunctionName`.
const FUNCTION_ONLY: &str = "FunctionName";

/// Checks that an input has no version or alias of a function if its operation is for functions only. The error is recorded for
/// PutFunctionConcurrency, and unverified for the others.
///
/// # Errors
/// `InvalidParameterValueException`
pub fn must_fit(operation: &str, input: &Value) -> Result<(), AwsError> {
    // Unverified: AWS's tests recorded no error of CreateFunction for a name with a qualifier.
    let is_for_functions =
        operation != "CreateFunction" && LAMBDA.shape_of(operation, "FunctionName") == Some(FUNCTION_ONLY);
    let reference = input["FunctionName"].as_str().filter(|_| is_for_functions).and_then(parse);
    if reference.is_some_and(|reference| reference.qualifier.is_some()) {
        return Err(invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
             Please specify either a function name or an unqualified function ARN.",
        ));
    }
    Ok(())
}

pub const DENIED: &str = "AccessDeniedException";

/// The error for a function of another account. Its message is the ARN until [`name_operation`] completes it.
fn denied(arn: impl Into<String>) -> AwsError {
    AwsError::new(403, DENIED, arn)
}

/// Completes the message of a denied access with the operation that was denied.
pub fn name_operation(error: AwsError, operation: &str, config: &Config) -> AwsError {
    if error.code != DENIED || !error.message.starts_with("arn:") {
        return error;
    }
    let action = if operation == "Invoke" { "InvokeFunction" } else { operation };
    let (partition, account, arn) = (partition(config), &config.account_id, &error.message);
    let message = format!(
        "User: arn:{partition}:iam::{account}:root is not authorized to perform: lambda:{action} on resource: {arn} because \
         no resource-based policy allows the lambda:{action} action"
    );
    AwsError { message, ..error }
}

pub fn function_arn(config: &Config, name: &str) -> String {
    format!("arn:{}:lambda:{}:{}:function:{name}", partition(config), config.region, config.account_id)
}

pub fn mapping_arn(config: &Config, uuid: &str) -> String {
    format!("arn:{}:lambda:{}:{}:event-source-mapping:{uuid}", partition(config), config.region, config.account_id)
}

/// Whether a qualifier is a version number.
pub fn is_number(qualifier: &str) -> bool {
    !qualifier.is_empty() && qualifier.bytes().all(|byte| byte.is_ascii_digit())
}

/// The ARN partition of the region.
pub fn partition(config: &Config) -> &'static str {
    match config.region.as_str() {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Parses the model's pattern `NamespacedFunctionName`. Optional parts are matched greedily, as in the pattern.
fn parse(value: &str) -> Option<Reference> {
    let (mut rest, mut in_arn) = (value, None);
    if let Some(after) = rest.strip_prefix("arn:") {
        let (partition, after) = after.split_once(':')?;
        let in_partition = partition.strip_prefix("aws")?.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
        rest = after.strip_prefix("lambda:").filter(|_| in_partition)?;
        in_arn = Some(partition.to_owned());
    }
    let region = read_part(&mut rest, is_region);
    let account = read_part(&mut rest, |part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()));
    rest = rest.strip_prefix("function:").unwrap_or(rest);
    let (name, qualifier) = match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = !name.is_empty() && name.chars().all(|c| is_word(c) || c == '.');
    let is_qualifier =
        |text: &str| text == LATEST || text == "$LATEST.PUBLISHED" || (!text.is_empty() && text.chars().all(is_word));
    (is_name && qualifier.is_none_or(is_qualifier)).then(|| Reference {
        name: name.to_owned(),
        qualifier: qualifier.map(str::to_owned),
        partition: in_arn,
        region,
        account,
    })
}

fn read_part(rest: &mut &str, is_part: impl Fn(&str) -> bool) -> Option<String> {
    let (part, after) = rest.split_once(':')?;
    is_part(part).then(|| {
        *rest = after;
        part.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, qualifier: Option<&str>) -> Result<Reference, AwsError> {
        Reference::read(value, qualifier, &Config::default())
    }

    #[test]
    fn a_reference_has_every_form_that_aws_accepts() {
        for (value, qualifier) in [
            ("my-fn", None),
            ("my-fn:$LATEST", Some("$LATEST")),
            ("function:my-fn", None),
            ("000000000000:function:my-fn", None),
            ("000000000000:my-fn", None),
            ("us-east-1:000000000000:function:my-fn:live", Some("live")),
            ("arn:aws:lambda:us-east-1:000000000000:function:my-fn", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:my-fn:$LATEST", Some("$LATEST")),
        ] {
            let reference = read(value, None).unwrap();
            assert_eq!((reference.name.as_str(), reference.qualifier.as_deref()), ("my-fn", qualifier), "{value}");
        }
    }

    #[test]
    fn a_text_of_another_form_violates_the_pattern() {
        for value in [
            "*",
            "my-function!",
            "invalid-account:function:my-function",
            "arn:aws:lambda:invalid-region:000000000000:function:my-function",
            "arn:aws:ec2:us-east-1:000000000000:instance:i-1",
            "arn:aws:lambda:us-east-1:000000000000:function:my-function:1:2",
            "arn:aws:lambda::000000000000:function:my-function",
            "arn:aws:lambda:us-east-1::function:my-function",
            "arn:aws:lambda:us-east-1:000000000000:function:my-function:$LATES",
            "",
        ] {
            let error = read(value, None).unwrap_err();
            assert_eq!(error.code, "ValidationException", "{value}");
            assert!(error.message.contains("Member must satisfy regular expression pattern: (arn:(aws"), "{value}");
        }
    }

    #[test]
    fn two_qualifiers_must_agree() {
        let error = read("f:$LATEST", Some("1")).unwrap_err();
        assert_eq!(
            error.message,
            "The derived qualifier from the function name does not match the specified qualifier."
        );
        assert_eq!(read("f:$LATEST", Some("$LATEST")).unwrap().qualified(), "f:$LATEST");
        assert_eq!(read("f", Some("7")).unwrap().qualified(), "f:7");
    }

    #[test]
    fn another_region_is_not_reachable() {
        let error = read("arn:aws:lambda:eu-west-1:000000000000:function:f", None).unwrap_err();
        assert_eq!((error.status, error.code.as_ref()), (404, "ResourceNotFoundException"));
        assert_eq!(error.message, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
    }

    #[test]
    fn a_function_of_another_partition_is_not_found() {
        let config = Config::default();
        for partition in ["aws-cn", "aws-us-gov", "aws-x"] {
            let arn = format!("arn:{partition}:lambda:us-east-1:000000000000:function:f");
            let error = read(&arn, None).unwrap_err();
            assert_eq!((error.status, error.code.as_ref()), (404, "ResourceNotFoundException"), "{arn}");
            assert_eq!(Reference::read_new(&arn, &config).unwrap_err().code, "ResourceNotFoundException", "{arn}");
        }
        let china = Config { region: "cn-north-1".into(), ..config };
        assert!(Reference::read("arn:aws-cn:lambda:cn-north-1:000000000000:function:f", None, &china).is_ok());
    }

    #[test]
    fn a_function_of_another_account_is_denied() {
        let config = Config::default();
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let error = name_operation(read(arn, None).unwrap_err(), "Invoke", &config);
        assert_eq!((error.status, error.code.as_ref()), (403, "AccessDeniedException"));
        assert_eq!(
            error.message,
            format!(
                "User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:InvokeFunction on resource: \
                 {arn} because no resource-based policy allows the lambda:InvokeFunction action"
            )
        );
        let error = Reference::read_new(arn, &config).unwrap_err();
        let error = name_operation(error, "CreateFunction", &config);
        assert_eq!((error.status, error.code.as_ref(), error.message.as_str()), (403, "AccessDeniedException", ""));
        assert_eq!(error.to_rest_json().body().as_ref(), br#"{"Message":null}"#);
    }

    #[test]
    fn a_new_name_is_64_characters_at_most() {
        let config = Config::default();
        assert_eq!(Reference::read_new("function:fresh", &config).unwrap(), "fresh");
        let error = Reference::read_new(&"a".repeat(65), &config).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.ends_with("Member must have length less than or equal to 64"));
        assert_eq!(Reference::read_new("a.b", &config).unwrap_err().code, "ValidationException");
    }
}
