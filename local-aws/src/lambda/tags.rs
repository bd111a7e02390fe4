//! The rules for tags that the service model does not state.

use std::collections::BTreeMap;

use super::errors::invalid_parameter;
use crate::error::AwsError;

/// The most tags of one resource. <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>
const MAX_TAGS: usize = 50;

pub type Tags = BTreeMap<String, String>;

/// Checks the tags of a new resource.
///
/// # Errors
/// Too many tags, or a key with AWS's prefix.
pub fn check(tags: &Tags) -> Result<(), AwsError> {
    check_keys(tags)?;
    check_count(tags.len())
}

/// Adds tags to those of a resource.
///
/// # Errors
/// As [`check`].
pub fn add(existing: &mut Tags, tags: Tags) -> Result<(), AwsError> {
    check_keys(&tags)?;
    check_count(existing.len() + tags.keys().filter(|key| !existing.contains_key(*key)).count())?;
    existing.extend(tags);
    Ok(())
}

fn check_keys(tags: &Tags) -> Result<(), AwsError> {
    if tags.keys().any(|key| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
        // The message is from CloudWatch Logs. Lambda's is unverified.
        return Err(invalid_parameter("aws: prefixed tag key names are not allowed for external use."));
    }
    Ok(())
}

fn check_count(count: usize) -> Result<(), AwsError> {
    if count > MAX_TAGS {
        return Err(invalid_parameter("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validation::LAMBDA;

    #[test]
    fn tags_violate_constraints_of_length_and_characters() {
        let message = |key: &str, value: &str| {
            let checked = LAMBDA.check("Tags", "tags", &json!({ key: value }));
            checked.err().map(|error| error.message).unwrap_or_default()
        };
        assert_eq!(message("a key: /=+-@é", ""), "");
        for key in ["", "a*b", "a\tb", &"k".repeat(129)] {
            assert!(message(key, "v").contains("at 'tags' failed to satisfy constraint: Map keys must"), "{key:?}");
        }
        for value in ["<", &"v".repeat(257)] {
            assert!(
                message("k", value).contains("at 'tags' failed to satisfy constraint: Map value must"),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_resource_has_50_tags_and_none_with_awss_prefix() {
        let tag = |key: &str| [(key.to_owned(), String::new())].into();
        for key in ["aws:a", "AWS:a", "aws:"] {
            assert_eq!(check(&tag(key)).unwrap_err().code, "InvalidParameterValueException", "{key}");
        }
        assert!(check(&tag("aws")).is_ok());
        let mut tags: Tags = (0..50).map(|number| (number.to_string(), String::new())).collect();
        assert!(check(&tags).is_ok());
        add(&mut tags, tag("7")).unwrap();
        assert_eq!(add(&mut tags, tag("more")).unwrap_err().message, "Number of tags exceeds resource tag limit.");
    }
}
