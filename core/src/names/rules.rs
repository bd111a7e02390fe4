//! The services' rules for names, and the errors of names that break them.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::limits;

/// The error for a name that its service would reject.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} {name:?}: {fault}")]
pub struct NameError {
    kind: &'static str,
    name: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum Fault {
    #[error("is empty")]
    Empty,
    #[error("{character:?} at character {position} is not allowed; {service} {takes}")]
    Character { character: char, position: usize, service: &'static str, takes: &'static str },
    #[error("{length} characters, {} more than the {limit} {service} takes{}", length - limit, advice.as_deref().unwrap_or_default())]
    Length { length: usize, limit: usize, service: &'static str, advice: Option<String> },
    #[error("names that begin with \"aws/\" are reserved for AWS")]
    Reserved,
}

impl NameError {
    /// Adds advice to the error of a derived name: to shorten the longer of its parts.
    pub(super) fn derived_from(mut self, application: &str, stage: &str) -> Self {
        let (part, length) =
            if stage.len() > application.len() { ("stage", stage.len()) } else { ("application", application.len()) };
        if let Fault::Length { advice, .. } = &mut self.fault {
            let kind = self.kind;
            *advice = Some(format!("; shorten the {part} ({length} characters), or give the {kind} a name of its own"));
        }
        self
    }
}

/// A service's rule for a name.
pub(super) struct Rule {
    kind: &'static str,
    service: &'static str,
    lengths: RangeInclusive<usize>,
    /// The allowed characters besides ASCII letters and digits.
    punctuation: &'static str,
    takes: &'static str,
    first: First,
}

/// The allowed beginnings of a name.
enum First {
    Any,
    LetterOrDigit,
    /// Anything but the prefix that CloudWatch Logs reserves for AWS.
    NotAws,
}

/// Application and stage are part of every derived name, so they allow the characters that all four services allow: those
/// of a function's name. They do not begin with a hyphen, which would look like an option on a command line. Their length is
/// checked in the derived names, whose errors are more helpful.
pub(super) const APPLICATION: Rule = part_rule("application");
pub(super) const STAGE: Rule = part_rule("stage");

const fn part_rule(kind: &'static str) -> Rule {
    Rule {
        kind,
        service: "it",
        lengths: 1..=usize::MAX,
        punctuation: "-_",
        takes: "takes letters, digits, - and _",
        first: First::LetterOrDigit,
    }
}

pub(super) const STREAM: Rule = Rule {
    kind: "stream",
    service: "Kinesis",
    lengths: limits::STREAM_NAME_CHARS,
    punctuation: "_.-",
    takes: "takes letters, digits, _ . and -",
    first: First::Any,
};

pub(super) const FUNCTION: Rule = Rule {
    kind: "function",
    service: "Lambda",
    lengths: limits::FUNCTION_NAME_CHARS,
    punctuation: "-_",
    takes: "takes letters, digits, - and _",
    first: First::Any,
};

pub(super) const ROLE: Rule = Rule {
    kind: "role",
    service: "IAM",
    lengths: limits::ROLE_NAME_CHARS,
    punctuation: "_+=,.@-",
    takes: "takes letters, digits, _ + = , . @ and -",
    first: First::Any,
};

pub(super) const LOG_GROUP: Rule = Rule {
    kind: "log group",
    service: "CloudWatch Logs",
    lengths: limits::LOG_GROUP_NAME_CHARS,
    punctuation: ".-_/#",
    takes: "takes letters, digits, . - _ / and #",
    first: First::NotAws,
};

impl Rule {
    pub(super) fn check(&self, name: &str) -> Result<(), NameError> {
        match self.fault(name) {
            Some(fault) => Err(NameError { kind: self.kind, name: name.to_owned(), fault }),
            None => Ok(()),
        }
    }

    fn fault(&self, name: &str) -> Option<Fault> {
        let first = name.chars().next();
        let Some(first) = first else { return Some(Fault::Empty) };
        let allowed = |character: char| character.is_ascii_alphanumeric() || self.punctuation.contains(character);
        if let Some((before, character)) = name.chars().enumerate().find(|&(_, character)| !allowed(character)) {
            return Some(self.character_fault(character, before + 1, self.takes));
        }
        match self.first {
            First::LetterOrDigit if !first.is_ascii_alphanumeric() => {
                return Some(self.character_fault(first, 1, "begins with a letter or digit"));
            }
            First::NotAws if name.starts_with("aws/") => return Some(Fault::Reserved),
            _ => {}
        }
        let (length, limit) = (name.len(), *self.lengths.end());
        (length > limit).then_some(Fault::Length { length, limit, service: self.service, advice: None })
    }

    fn character_fault(&self, character: char, position: usize, takes: &'static str) -> Fault {
        Fault::Character { character, position, service: self.service, takes }
    }
}
