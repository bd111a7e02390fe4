//! What the resources of one application and stage are called, and which of them are ours.
//!
//! Of application `orders` and stage `prod`: stream and function `orders-prod`, role `orders-prod-role`, log group
//! `/aws/lambda/orders-prod`; each can be given another name. Names say where things are, tags say whose they are:
//! `a-b` with `c` and `a` with `b-c` share names, never tags.

mod rules;

use crate::names::rules::Rule;

pub use crate::names::rules::NameError;

/// The application of a newcomer who names none.
pub const DEFAULT_APPLICATION: &str = "kinesis-event-logger";
/// The stage of a newcomer who names none.
pub const DEFAULT_STAGE: &str = "dev";
/// The tag that holds the application.
pub const APPLICATION_TAG: &str = "kinesis-event-logger:application";
/// The tag that holds the stage.
pub const STAGE_TAG: &str = "kinesis-event-logger:stage";

/// The names of one application's stage, each valid for its service.
///
/// ```
/// use kinesis_event_logger_core::Names;
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
/// # Ok::<_, kinesis_event_logger_core::NameError>(())
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
        Self::new(DEFAULT_APPLICATION, DEFAULT_STAGE).expect("the default names are valid, as their test shows")
    }
}

impl Names {
    /// The names derived from application and stage.
    ///
    /// # Errors
    /// [`NameError`] when one of them, or a name derived from them, is not valid.
    pub fn new(application: impl Into<String>, stage: impl Into<String>) -> Result<Self, NameError> {
        Self::builder(application, stage).build()
    }

    /// Names of which some are given rather than derived.
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

    /// The tags that mark a resource as this application's and stage's: keys and values.
    pub fn tags(&self) -> [(&'static str, &str); 2] {
        [(APPLICATION_TAG, &self.application), (STAGE_TAG, &self.stage)]
    }

    /// Whether a resource with these tags is this application's and stage's: only such a one is changed or deleted.
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

    /// The role's ARN. IAM has no regions, so that part is empty.
    pub fn role_arn(&self, location: &Location) -> String {
        format!("arn:{}:iam::{}:role/{}", location.partition(), location.account_id, self.role)
    }

    /// The log group's ARN, without the `:*` that some operations append.
    pub fn log_group_arn(&self, location: &Location) -> String {
        location.arn("logs", format_args!("log-group:{}", self.log_group))
    }
}

/// Collects the names that are given; [`NamesBuilder::build`] derives the rest.
///
/// Each setter takes a `String` or an `Option<String>`; `None` leaves the name to be derived.
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
    /// Gives the stream's name.
    pub fn stream(mut self, name: impl Into<Option<String>>) -> Self {
        self.stream = name.into();
        self
    }

    /// Gives the function's name; the log group's follows it unless given too.
    pub fn function(mut self, name: impl Into<Option<String>>) -> Self {
        self.function = name.into();
        self
    }

    /// Gives the role's name.
    pub fn role(mut self, name: impl Into<Option<String>>) -> Self {
        self.role = name.into();
        self
    }

    /// Gives the log group's name.
    pub fn log_group(mut self, name: impl Into<Option<String>>) -> Self {
        self.log_group = name.into();
        self
    }

    /// Derives what was not given, and checks every name against its service's rule.
    ///
    /// # Errors
    /// [`NameError`], of the first name that is not valid: which one, and which character or what length.
    pub fn build(self) -> Result<Names, NameError> {
        let Self { application, stage, stream, function, role, log_group } = self;
        rules::APPLICATION.check(&application)?;
        rules::STAGE.check(&stage)?;
        let base = format!("{application}-{stage}");
        let settle = |rule: &Rule, given: Option<String>, derived: String| match given {
            Some(name) => rule.check(&name).map(|()| name),
            None => match rule.check(&derived) {
                Ok(()) => Ok(derived),
                Err(error) => Err(error.derived_from(&application, &stage)),
            },
        };
        let stream = settle(&rules::STREAM, stream, base.clone())?;
        let role = settle(&rules::ROLE, role, format!("{base}-role"))?;
        let function = settle(&rules::FUNCTION, function, base)?;
        let log_group = settle(&rules::LOG_GROUP, log_group, format!("/aws/lambda/{function}"))?;
        Ok(Names { application, stage, stream, function, role, log_group })
    }
}

/// The region and account that an ARN needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The region, for instance `eu-central-1`.
    pub region: String,
    /// The account's 12 digits.
    pub account_id: String,
}

impl Location {
    /// The partition of the region, by the prefixes in the AWS SDKs' `partitions.json`; `aws` for what is unknown.
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

    fn refusal(builder: NamesBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_newcomer_gets_working_names() {
        let names = Names::default();
        assert_eq!(names.stream(), "kinesis-event-logger-dev");
        assert_eq!(names.function(), "kinesis-event-logger-dev");
        assert_eq!(names.role(), "kinesis-event-logger-dev-role");
        assert_eq!(names.log_group(), "/aws/lambda/kinesis-event-logger-dev");
    }

    #[test]
    fn given_names_win_and_the_log_group_follows_the_function() {
        let names =
            Names::builder("a", "b").function("f".to_owned()).role(Some("r".to_owned())).stream(None).build().unwrap();
        assert_eq!((names.stream(), names.function(), names.role()), ("a-b", "f", "r"));
        assert_eq!(names.log_group(), "/aws/lambda/f");
        let names = Names::builder("a", "b").log_group("/mine".to_owned()).build().unwrap();
        assert_eq!(names.log_group(), "/mine");
    }

    #[test]
    fn a_derived_name_that_is_too_long_says_what_to_shorten() {
        assert_eq!(
            refusal(Names::builder("a".repeat(52), "production12")),
            "role \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-production12-role\": 70 characters, \
             6 more than the 64 IAM takes; shorten the application (52 characters), or give the role a name of its own"
        );
        let longest_stage = refusal(Names::builder("a", "s".repeat(58)));
        assert!(longest_stage.ends_with("shorten the stage (58 characters), or give the role a name of its own"));
        assert!(Names::new("a".repeat(50), "s".repeat(8)).is_ok());
    }

    #[test]
    fn given_names_are_checked_against_their_services_rules() {
        let builder = || Names::builder("a", "b");
        assert_eq!(
            refusal(builder().stream("é".to_owned())),
            "stream \"é\": 'é' at character 1 is not allowed; Kinesis takes letters, digits, _ . and -"
        );
        assert_eq!(
            refusal(builder().function("f.g".to_owned())),
            "function \"f.g\": '.' at character 2 is not allowed; Lambda takes letters, digits, - and _"
        );
        assert_eq!(
            refusal(builder().role("r/s".to_owned())),
            "role \"r/s\": '/' at character 2 is not allowed; IAM takes letters, digits, _ + = , . @ and -"
        );
        assert_eq!(
            refusal(builder().log_group("a:b".to_owned())),
            "log group \"a:b\": ':' at character 2 is not allowed; CloudWatch Logs takes letters, digits, . - _ / and #"
        );
        assert_eq!(
            refusal(builder().log_group("aws/mine".to_owned())),
            "log group \"aws/mine\": names that begin with \"aws/\" are kept for AWS"
        );
        assert_eq!(
            refusal(builder().stream("s".repeat(129))),
            format!("stream {:?}: 129 characters, 1 more than the 128 Kinesis takes", "s".repeat(129))
        );
        assert_eq!(refusal(builder().role(String::new())), "role \"\": is empty");
    }

    #[test]
    fn application_and_stage_are_checked() {
        assert_eq!(refusal(Names::builder("", "b")), "application \"\": is empty");
        assert_eq!(
            refusal(Names::builder("a", "b.c")),
            "stage \"b.c\": '.' at character 2 is not allowed; it takes letters, digits, - and _"
        );
        assert_eq!(
            refusal(Names::builder("-a", "b")),
            "application \"-a\": '-' at character 1 is not allowed; it begins with a letter or digit"
        );
    }

    #[test]
    fn arns_carry_the_regions_partition() {
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
    fn only_both_tags_together_make_a_resource_ours() {
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
        fn what_is_accepted_derives_only_valid_names(application in "[a-zA-Z0-9._-]{0,40}", stage in "[a-zA-Z0-9._-]{0,30}") {
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
