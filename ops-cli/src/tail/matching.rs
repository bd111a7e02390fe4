//! Selects messages by the patterns of the command line. Pure.

use std::ops::Range;

use regex::Regex;

use crate::error::{Error, Result};

/// The regular expressions that select messages, and those whose matches are highlighted.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    grep: Vec<Regex>,
    exclude: Vec<Regex>,
    highlight: Vec<Regex>,
}

impl Matching {
    /// Compiles the expressions.
    ///
    /// # Errors
    /// An invalid expression, with its option.
    pub fn new(grep: &[String], exclude: &[String], highlight: &[String]) -> Result<Self> {
        Ok(Self {
            grep: regexes("--grep", grep)?,
            exclude: regexes("--exclude", exclude)?,
            highlight: regexes("--highlight", highlight)?,
        })
    }

    /// Whether a message is shown: every `--grep` matches, and no `--exclude` does.
    pub fn selects(&self, message: &str) -> bool {
        self.grep.iter().all(|grep| grep.is_match(message))
            && !self.exclude.iter().any(|exclude| exclude.is_match(message))
    }

    /// Returns the ranges of a line to highlight: the matches of `--grep` and `--highlight`.
    pub fn highlights(&self, line: &str) -> Vec<Range<usize>> {
        let patterns = self.grep.iter().chain(&self.highlight);
        let mut found: Vec<_> = patterns.flat_map(|regex| regex.find_iter(line).map(|found| found.range())).collect();
        found.retain(|range| !range.is_empty());
        found.sort_by_key(|range| range.start);
        found
    }
}

fn regexes(option: &str, texts: &[String]) -> Result<Vec<Regex>> {
    texts.iter().map(|text| regex(option, text)).collect()
}

/// Compiles an expression.
///
/// # Errors
/// An invalid expression.
pub fn regex(option: &str, text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|error| {
        // The crate prints the expression with a caret on several lines. The last line is the reason.
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return Error::usage(format!("{option} {text} needs too much memory: {reason}"))
                .hint("use smaller numbers of repetitions, as in \\d{3}");
        }
        Error::usage(format!("{option} {text} is not a regular expression: {reason}"))
            .hint("put a backslash before a character that is meant literally: \\( \\[ \\. \\* \\+ \\?")
    })
}

/// Combines filter patterns into one that selects the events that all of them select, because the service accepts a single
/// one.
///
/// # Errors
/// Patterns that cannot be combined.
pub fn combined_filter(patterns: &[String]) -> Result<Option<String>> {
    let [first, others @ ..] = patterns else { return Ok(None) };
    if others.is_empty() {
        return Ok(Some(first.clone()));
    }
    let trimmed = || patterns.iter().map(|pattern| pattern.trim());
    let conditions = trimmed().map(|pattern| Some(pattern.strip_prefix('{')?.strip_suffix('}')?.trim()));
    if let Some(conditions) = conditions.collect::<Option<Vec<_>>>() {
        let all: Vec<_> = conditions.iter().map(|condition| format!("({condition})")).collect();
        return Ok(Some(format!("{{ {} }}", all.join(" && "))));
    }
    let is_terms = |pattern: &str| !pattern.starts_with(['{', '[', '%']) && !pattern.contains('?');
    if trimmed().all(is_terms) {
        return Ok(Some(trimmed().collect::<Vec<_>>().join(" ")));
    }
    Err(Error::usage("these --filter patterns cannot be combined into one")
        .hint("several --filter are all JSON patterns, or all plain terms; use --grep and --exclude for the others"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_message_matches_every_grep_and_no_exclude() {
        let matching = Matching::new(&owned(&["a+", "b"]), &owned(&["c", "^d"]), &[]).unwrap();
        let selected = ["ab", "aab x", "a", "abc", "dab", "eab"].map(|message| matching.selects(message));
        assert_eq!(selected, [true, true, false, false, false, true]);
        assert!(Matching::default().selects(""));
    }

    #[test]
    fn an_invalid_expression_is_rejected_with_its_reason() {
        let error = Matching::new(&owned(&["a("]), &[], &[]).unwrap_err();
        assert_eq!(error.message, "--grep a( is not a regular expression: unclosed group");
    }

    #[test]
    fn matches_of_grep_and_highlight_are_highlighted() {
        let matching = Matching::new(&owned(&["b"]), &[], &owned(&["a", "x*"])).unwrap();
        assert_eq!(matching.highlights("cab"), [1..2, 2..3]);
    }

    #[test]
    fn filters_are_combined_if_possible() {
        let combined = |patterns: &[&str]| combined_filter(&owned(patterns)).map_err(|error| error.message);
        assert_eq!(combined(&[]), Ok(None));
        assert_eq!(combined(&["?a ?b"]), Ok(Some("?a ?b".into())));
        assert_eq!(combined(&["a", "-b"]), Ok(Some("a -b".into())));
        let json = ["{ $.a = 1 || $.b = 2 }", "{$.c = 3}"];
        assert_eq!(combined(&json), Ok(Some("{ ($.a = 1 || $.b = 2) && ($.c = 3) }".into())));
        for patterns in [["a", "{ $.b = 1 }"], ["?a ?b", "c"], ["[a, b]", "[c]"]] {
            assert!(combined(&patterns).is_err(), "{patterns:?}");
        }
    }
}
