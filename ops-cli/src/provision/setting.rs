//! The settings of a path, in one table. The options, the environment variables, the configuration file, its JSON Schema, the plan
//! and the calls that change a setting are all derived from it.

mod table;

use serde_json::Value;

use super::kind::Kind;

pub use table::SETTINGS;

/// A part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Stream,
    Role,
    LogGroup,
    Function,
    Mapping,
}

impl Part {
    pub const ALL: [Self; 5] = [Self::Stream, Self::Role, Self::LogGroup, Self::Function, Self::Mapping];

    /// The part's table in the configuration file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Role => "role",
            Self::LogGroup => "log-group",
            Self::Function => "function",
            Self::Mapping => "mapping",
        }
    }

    pub fn noun(self) -> &'static str {
        match self {
            Self::LogGroup => "log group",
            Self::Mapping => "event source mapping",
            _ => self.key(),
        }
    }
}

/// The call, or the short sequence of calls, that changes a setting of an existing part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// UpdateStreamMode, UpdateShardCount.
    Shards,
    /// IncreaseStreamRetentionPeriod or DecreaseStreamRetentionPeriod.
    StreamRetention,
    /// UpdateMaxRecordSize.
    MaxRecordSize,
    /// UpdateStreamWarmThroughput.
    WarmThroughput,
    /// UpdateStreamRecordDistributionStrategy.
    Distribution,
    /// StartStreamEncryption or StopStreamEncryption.
    Encryption,
    /// PutRolePolicy or AttachRolePolicy, then the deletion of the other policy.
    RolePolicy,
    /// PutRetentionPolicy or DeleteRetentionPolicy.
    LogRetention,
    /// AssociateKmsKey or DisassociateKmsKey.
    LogKey,
    /// PutLogGroupDeletionProtection.
    DeletionProtection,
    /// UpdateFunctionConfiguration.
    FunctionConfiguration,
    /// PutFunctionConcurrency or DeleteFunctionConcurrency.
    Concurrency,
    /// UpdateEventSourceMapping.
    Mapping,
    /// None: the setting is fixed when the part is created.
    Fixed,
}

/// When a setting of a new part is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// By the request that creates the part.
    Creation,
    /// By its own call, after the part was created.
    OwnCall,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    pub part: Part,
    /// The key in the part's table of the file.
    pub key: &'static str,
    /// The option, without `--`.
    pub flag: &'static str,
    pub value_name: &'static str,
    pub kind: Kind,
    /// The value for a new part, as text. Without it the service's default applies.
    pub default: Option<&'static str>,
    pub call: Call,
    pub set_by: SetBy,
    /// Returns the cost or the loss of a change that needs confirmation.
    pub cost: fn(&Value, &Value) -> Option<&'static str>,
    pub about: &'static str,
}

impl Setting {
    /// The setting's name in messages and plans: `function.memory`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.part.key(), self.key)
    }

    /// The environment variable that sets it: `KINESIS_LOGGER_FUNCTION_MEMORY`.
    pub fn variable(&self) -> String {
        format!("KINESIS_LOGGER_{}", self.name().to_uppercase().replace(['.', '-'], "_"))
    }

    pub fn default_value(&self) -> Option<Value> {
        self.default.and_then(|text| self.kind.parse(text).ok())
    }

    pub fn find(part: Part, key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.part == part && setting.key == key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_setting_has_its_own_name_and_option_and_a_valid_default() {
        let names: BTreeSet<_> = SETTINGS.iter().map(Setting::name).collect();
        let flags: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.flag).collect();
        assert_eq!((names.len(), flags.len()), (SETTINGS.len(), SETTINGS.len()));
        for setting in SETTINGS {
            assert_eq!(setting.default.is_some(), setting.default_value().is_some(), "{}", setting.name());
        }
    }
}
