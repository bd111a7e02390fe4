//! Each service's rule for a name, and what is wrong with a name that breaks it.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::limits;

/// A name that its service would refuse.
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
    #[error("{character:?} at character {position} is not allowed; {taker} {takes}")]
    Character { character: char, position: usize, taker: &'static str, takes: &'static str },
    #[error("{length} characters, {} more than the {limit} {taker} takes{}", length - limit, advice.as_deref().unwrap_or_default())]
    Length { length: usize, limit: usize, taker: &'static str, advice: Option<String> },
    #[error("names that begin with \"aws/\" are kept for AWS")]
    Reserved,
}

impl NameError {
    /// Says what to do about a name that was not given but derived: the longer part is the one to shorten.
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

/// What a service takes for a name.
pub(super) struct Rule {
    kind: &'static str,
    taker: &'static str,
    lengths: RangeInclusive<usize>,
    /// What is allowed besides ASCII letters and digits.
    punctuation: &'static str,
    takes: &'static str,
    first: First,
}

/// What a name may begin with.
enum First {
    Any,
    LetterOrDigit,
    /// Anything but the prefix that CloudWatch Logs keeps for AWS.
    NotAws,
}

/// Application and stage stand in every derived name, so they take what all four services take: the characters of a
/// function's name, which is the narrowest. A hyphen in front would read as a flag on a command line. The length is
/// left to the derived names, whose errors say more.
pub(super) const APPLICATION: Rule = part_rule("application");
pub(super) const STAGE: Rule = part_rule("stage");

const fn part_rule(kind: &'static str) -> Rule {
    Rule {
        kind,
        taker: "it",
        lengths: 1..=usize::MAX,
        punctuation: "-_",
        takes: "takes letters, digits, - and _",
        first: First::LetterOrDigit,
    }
}

pub(super) const STREAM: Rule = Rule {
    kind: "stream",
    taker: "Kinesis",
    lengths: limits::STREAM_NAME_CHARS,
    punctuation: "_.-",
    takes: "takes letters, digits, _ . and -",
    first: First::Any,
};

pub(super) const FUNCTION: Rule = Rule {
    kind: "function",
    taker: "Lambda",
    lengths: limits::FUNCTION_NAME_CHARS,
    punctuation: "-_",
    takes: "takes letters, digits, - and _",
    first: First::Any,
};

pub(super) const ROLE: Rule = Rule {
    kind: "role",
    taker: "IAM",
    lengths: limits::ROLE_NAME_CHARS,
    punctuation: "_+=,.@-",
    takes: "takes letters, digits, _ + = , . @ and -",
    first: First::Any,
};

pub(super) const LOG_GROUP: Rule = Rule {
    kind: "log group",
    taker: "CloudWatch Logs",
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
            return Some(self.refused(character, before + 1, self.takes));
        }
        match self.first {
            First::LetterOrDigit if !first.is_ascii_alphanumeric() => {
                return Some(self.refused(first, 1, "begins with a letter or digit"));
            }
            First::NotAws if name.starts_with("aws/") => return Some(Fault::Reserved),
            _ => {}
        }
        let (length, limit) = (name.len(), *self.lengths.end());
        (length > limit).then_some(Fault::Length { length, limit, taker: self.taker, advice: None })
    }

    fn refused(&self, character: char, position: usize, takes: &'static str) -> Fault {
        Fault::Character { character, position, taker: self.taker, takes }
    }
}
