//! An alias: a name for a version, or for two of them by weight.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Config;
use crate::lambda::names::function_arn;

/// An alias of a function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    pub version: String,
    pub description: String,
    /// Another version, and the share of invocations that run it.
    pub additional: Option<(String, f64)>,
    pub revision: String,
}

impl Alias {
    /// Chooses the version that an invocation runs; `chance` is at least 0 and less than 1.
    pub fn choose(&self, chance: f64) -> &str {
        match &self.additional {
            Some((version, weight)) if chance < *weight => version,
            _ => &self.version,
        }
    }

    pub fn refers_to(&self, version: &str) -> bool {
        self.version == version || self.additional.as_ref().is_some_and(|(other, _)| other == version)
    }

    /// An `AliasConfiguration`.
    pub fn to_json(&self, config: &Config, function: &str, name: &str) -> Value {
        let mut members = json!({
            "AliasArn": format!("{}:{name}", function_arn(config, function)),
            "Description": self.description,
            "FunctionVersion": self.version,
            "Name": name,
            "RevisionId": self.revision,
        });
        if let Some((version, weight)) = &self.additional {
            members["RoutingConfig"] = json!({ "AdditionalVersionWeights": { version: weight } });
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_alias_divides_invocations_by_weight() {
        let alias = |additional| Alias {
            version: "1".into(),
            description: String::new(),
            additional,
            revision: Uuid::new_v4().to_string(),
        };
        let both = alias(Some(("2".into(), 0.25)));
        assert_eq!([0.0, 0.24, 0.25, 0.99].map(|chance| both.choose(chance)), ["2", "2", "1", "1"]);
        assert_eq!(alias(None).choose(0.0), "1");
        assert_eq!(alias(Some(("2".into(), 0.0))).choose(0.0), "1");
        assert_eq!(alias(Some(("2".into(), 1.0))).choose(0.999), "2");
    }
}
