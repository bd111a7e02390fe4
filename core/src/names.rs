//! The names and tags of an application's resources on AWS.
//!
//! ```
//! use kinesis_event_logger_core::names::Names;
//!
//! let names = Names::new("orders", "prod")?;
//! assert_eq!((names.stream(), names.function()), ("orders-prod", "orders-prod"));
//! assert_eq!((names.role(), names.log_group()), ("orders-prod-role", "/aws/lambda/orders-prod"));
//! # Ok::<_, kinesis_event_logger_core::names::NameError>(())
//! ```
//!
//! Each resource can be given another name. Names identify a resource, and tags its owner: application `a-b` with stage
//! `c` and application `a` with stage `b-c` share names, but never tags.

mod rules;

use crate::names::rules::Rule;

pub use crate::names::rules::NameError;

/// The default application.
pub const DEFAULT_APPLICATION: &str = "kinesis-event-logger";
/// The default stage.
pub const DEFAULT_STAGE: &str = "dev";
/// The key of the tag whose value is the application.
pub const APPLICATION_TAG: &str = "kinesis-event-logger:application";
/// The key of the tag whose value is the stage.
pub const STAGE_TAG: &str = "kinesis-event-logger:stage";

/// The names of one application's stage, each valid for its service.
///
/// ```
/// use kinesis_event_logger_core::names::Names;
///
/// let names = Names::builder("orders", "prod").stream("legacy.orders".to_owned()).build()?;
/// assert_eq!(names.stream(), "legacy.orders");
/// assert_eq!(names.function(), "orders-prod");
/// assert_eq!(names.log_group(), "/aws/lambda/orders-prod");
///
/// let error = Names::new("orders team", "prod").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "application \"orders team\": ' ' at character 7 is not allowed; it takes letters, digits, - and _"
/// );
/// # Ok::<_, kinesis_event_logger_core::names::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    application: String,
    stage: String,
    stream: String,
    function: String,
    role: String,
    log_group: String,
}

impl Default for Names {
    /// The names of [`DEFAULT_APPLICATION`] and [`DEFAULT_STAGE`].
    fn default() -> Self {
        Self::new(DEFAULT_APPLICATION, DEFAULT_STAGE).expect("the default names are valid")
    }
}

impl Names {
    /// Derives all names from application and stage.
    ///
    /// # Errors
    /// Returns a [`NameError`] if the application, the stage or a derived name is not valid.
    pub fn new(application: impl Into<String>, stage: impl Into<String>) -> Result<Self, NameError> {
        Self::builder(application, stage).build()
    }

    /// Creates a builder, for names that are not all derived.
    pub fn builder(application: impl Into<String>, stage: impl Into<String>) -> NamesBuilder {
        NamesBuilder {
            application: application.into(),
            stage: stage.into(),
            stream: None,
            function: None,
            role: None,
            log_group: None,
        }
    }

    /// The application.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// The stage.
    pub fn stage(&self) -> &str {
        &self.stage
    }

    /// The Kinesis stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The Lambda function's name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The name of the function's execution role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The name of the function's log group.
    pub fn log_group(&self) -> &str {
        &self.log_group
    }

    /// Returns key and value of the tags that mark a resource as owned by this application and stage.
    pub fn tags(&self) -> [(&'static str, &str); 2] {
        [(APPLICATION_TAG, &self.application), (STAGE_TAG, &self.stage)]
    }

    /// Whether a resource with these tags is owned by this application and stage. Only owned resources are changed or
    /// deleted.
    pub fn owns<K: AsRef<str>, V: AsRef<str>>(&self, tags: impl IntoIterator<Item = (K, V)>) -> bool {
        let mut found = [false; 2];
        for (key, value) in tags {
            for (found, ours) in found.iter_mut().zip(self.tags()) {
                *found |= (key.as_ref(), value.as_ref()) == ours;
            }
        }
        found == [true; 2]
    }

    /// The stream's ARN.
    pub fn stream_arn(&self, location: &Location) -> String {
        location.arn("kinesis", format_args!("stream/{}", self.stream))
    }

    /// The function's ARN, without version.
    pub fn function_arn(&self, location: &Location) -> String {
        location.arn("lambda", format_args!("function:{}", self.function))
    }

    /// The role's ARN. Its region is empty, because IAM is global.
    pub fn role_arn(&self, location: &Location) -> String {
        format!("arn:{}:iam::{}:role/{}", location.partition(), location.account_id, self.role)
    }

    /// The log group's ARN, without the `:*` that some operations append.
    pub fn log_group_arn(&self, location: &Location) -> String {
        location.arn("logs", format_args!("log-group:{}", self.log_group))
    }
}

/// Builds [`Names`] from given names, and derives the others.
///
/// Each setter accepts a `String` or an `Option<String>`. A name that is `None` is derived.
#[derive(Debug, Clone)]
#[must_use]
pub struct NamesBuilder {
    application: String,
    stage: String,
    stream: Option<String>,
    function: Option<String>,
    role: Option<String>,
    log_group: Option<String>,
}

impl NamesBuilder {
    /// Sets the stream's name.
    pub fn stream(mut self, name: impl Into<Option<String>>) -> Self {
        self.stream = name.into();
        self
    }

    /// Sets the function's name. The name of the log group is derived from it.
    pub fn function(mut self, name: impl Into<Option<String>>) -> Self {
        self.function = name.into();
        self
    }

    /// Sets the role's name.
    pub fn role(mut self, name: impl Into<Option<String>>) -> Self {
        self.role = name.into();
        self
    }

    /// Sets the log group's name.
    pub fn log_group(mut self, name: impl Into<Option<String>>) -> Self {
        self.log_group = name.into();
        self
    }

    /// Derives the names that were not set, and validates every name by its service's rule.
    ///
    /// # Errors
    /// Returns a [`NameError`] for the first name that is not valid.
    pub fn build(self) -> Result<Names, NameError> {
        let Self { application, stage, stream, function, role, log_group } = self;
        rules::APPLICATION.check(&application)?;
        rules::STAGE.check(&stage)?;
        let base = format!("{application}-{stage}");
        let validated = |rule: &Rule, given: Option<String>, derived: String| match given {
            Some(name) => rule.check(&name).map(|()| name),
            None => match rule.check(&derived) {
                Ok(()) => Ok(derived),
                Err(error) => Err(error.derived_from(&application, &stage)),
            },
        };
        let stream = validated(&rules::STREAM, stream, base.clone())?;
        let role = validated(&rules::ROLE, role, format!("{base}-role"))?;
        let function = validated(&rules::FUNCTION, function, base)?;
        let log_group = validated(&rules::LOG_GROUP, log_group, format!("/aws/lambda/{function}"))?;
        Ok(Names { application, stage, stream, function, role, log_group })
    }
}

/// The region and account of an ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The region, for instance `eu-central-1`.
    pub region: String,
    /// The account's 12 digits.
    pub account_id: String,
}

impl Location {
    /// Returns the partition of the region, by the prefixes in the AWS SDKs' `partitions.json`. Other regions are in `aws`.
    pub fn partition(&self) -> &'static str {
        const PREFIXES: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        PREFIXES.iter().find(|(prefix, _)| self.region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
    }

    fn arn(&self, service: &str, resource: std::fmt::Arguments<'_>) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition(), self.region, self.account_id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(builder: NamesBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn the_default_names_are_valid() {
        let names = Names::default();
        assert_eq!(names.stream(), "kinesis-event-logger-dev");
        assert_eq!(names.function(), "kinesis-event-logger-dev");
        assert_eq!(names.role(), "kinesis-event-logger-dev-role");
        assert_eq!(names.log_group(), "/aws/lambda/kinesis-event-logger-dev");
    }

    #[test]
    fn given_names_override_derived_ones_and_the_log_group_follows_the_function() {
        let names =
            Names::builder("a", "b").function("f".to_owned()).role(Some("r".to_owned())).stream(None).build().unwrap();
        assert_eq!((names.stream(), names.function(), names.role()), ("a-b", "f", "r"));
        assert_eq!(names.log_group(), "/aws/lambda/f");
        let names = Names::builder("a", "b").log_group("/mine".to_owned()).build().unwrap();
        assert_eq!(names.log_group(), "/mine");
    }

    #[test]
    fn the_error_of_a_long_derived_name_says_what_to_shorten() {
        assert_eq!(
            error(Names::builder("a".repeat(52), "production12")),
            "role \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-production12-role\": 70 characters, \
             6 more than the 64 IAM takes; shorten the application (52 characters), or give the role a name of its own"
        );
        let longest_stage = error(Names::builder("a", "s".repeat(58)));
        assert!(longest_stage.ends_with("shorten the stage (58 characters), or give the role a name of its own"));
        assert!(Names::new("a".repeat(50), "s".repeat(8)).is_ok());
    }

    #[test]
    fn given_names_are_checked_against_their_services_rules() {
        let builder = || Names::builder("a", "b");
        assert_eq!(
            error(builder().stream("é".to_owned())),
            "stream \"é\": 'é' at character 1 is not allowed; Kinesis takes letters, digits, _ . and -"
        );
        assert_eq!(
            error(builder().function("f.g".to_owned())),
            "function \"f.g\": '.' at character 2 is not allowed; Lambda takes letters, digits, - and _"
        );
        assert_eq!(
            error(builder().role("r/s".to_owned())),
            "role \"r/s\": '/' at character 2 is not allowed; IAM takes letters, digits, _ + = , . @ and -"
        );
        assert_eq!(
            error(builder().log_group("a:b".to_owned())),
            "log group \"a:b\": ':' at character 2 is not allowed; CloudWatch Logs takes letters, digits, . - _ / and #"
        );
        assert_eq!(
            error(builder().log_group("aws/mine".to_owned())),
            "log group \"aws/mine\": names that begin with \"aws/\" are reserved for AWS"
        );
        assert_eq!(
            error(builder().stream("s".repeat(129))),
            format!("stream {:?}: 129 characters, 1 more than the 128 Kinesis takes", "s".repeat(129))
        );
        assert_eq!(error(builder().role(String::new())), "role \"\": is empty");
    }

    #[test]
    fn application_and_stage_are_checked() {
        assert_eq!(error(Names::builder("", "b")), "application \"\": is empty");
        assert_eq!(
            error(Names::builder("a", "b.c")),
            "stage \"b.c\": '.' at character 2 is not allowed; it takes letters, digits, - and _"
        );
        assert_eq!(
            error(Names::builder("-a", "b")),
            "application \"-a\": '-' at character 1 is not allowed; it begins with a letter or digit"
        );
    }

    #[test]
    fn arns_contain_the_partition_of_the_region() {
        let names = Names::new("a", "b").unwrap();
        let at = |region: &str| Location { region: region.to_owned(), account_id: "123456789012".to_owned() };
        assert_eq!(names.stream_arn(&at("eu-west-1")), "arn:aws:kinesis:eu-west-1:123456789012:stream/a-b");
        assert_eq!(names.function_arn(&at("cn-north-1")), "arn:aws-cn:lambda:cn-north-1:123456789012:function:a-b");
        assert_eq!(names.role_arn(&at("us-gov-east-1")), "arn:aws-us-gov:iam::123456789012:role/a-b-role");
        assert_eq!(
            names.log_group_arn(&at("us-east-1")),
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/a-b"
        );
        assert_eq!(at("us-isob-east-1").partition(), "aws-iso-b");
    }

    #[test]
    fn a_resource_is_owned_only_with_both_tags() {
        let names = Names::new("a", "b").unwrap();
        assert!(names.owns(names.tags()));
        assert!(names.owns([("x", "y"), (STAGE_TAG, "b"), (APPLICATION_TAG, "a")]));
        assert!(!names.owns([(APPLICATION_TAG, "a")]));
        assert!(!names.owns([(APPLICATION_TAG, "a"), (STAGE_TAG, "c")]));
        assert!(!names.owns([(APPLICATION_TAG, "b"), (STAGE_TAG, "a")]));
        assert!(!names.owns(Vec::<(String, String)>::new()));
    }

    proptest! {
        #[test]
        fn accepted_applications_and_stages_derive_valid_names(application in "[a-zA-Z0-9._-]{0,40}", stage in "[a-zA-Z0-9._-]{0,30}") {
            if let Ok(names) = Names::new(&*application, &*stage) {
                prop_assert!(names.function().len() <= 64 && names.role().len() <= 64);
                prop_assert!(names.function().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
                prop_assert!(names.owns(names.tags()));
            } else {
                let plain = |text: &str| {
                    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && !text.contains('.')
                };
                prop_assert!(!plain(&application) || !plain(&stage) || application.len() + stage.len() > 58);
            }
        }
    }
}
