//! Matches the names of log groups: globs, and names that are similar to one that does not exist. Pure.

use kinesis_event_logger_core::similar::edit_distance;

/// A log group named on the command line, which may contain `*` and `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPattern(pub String);

impl GroupPattern {
    /// Parses a name or a pattern.
    ///
    /// # Errors
    /// A text that is the name of no log group (CloudWatch Logs API, `FilterLogEvents`: `logGroupName`).
    pub fn parse(text: &str) -> Result<Self, String> {
        const MOST: usize = 512;
        if text.starts_with("arn:") {
            return Err("is an ARN, and a name is expected: the part after `log-group:`".into());
        }
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "_/.-#*?".contains(c);
        if (1..=MOST).contains(&text.len()) && text.chars().all(is_of_names) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("is not the name of a log group: 1 to {MOST} of the characters a-z, A-Z, 0-9, _ / . - and #"))
    }

    pub fn is_glob(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    /// The prefix that all matching names share.
    pub fn prefix(&self) -> &str {
        self.0.split(['*', '?']).next().unwrap_or_default()
    }

    /// Whether a name matches. `*` matches any characters, including `/`; `?` matches one.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name): (Vec<char>, Vec<char>) = (self.0.chars().collect(), name.chars().collect());
        let (mut p, mut n) = (0, 0);
        // The position after the last star, and the end of its present match.
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&c) if c == '?' || c == name[n] => (p, n) = (p + 1, n + 1),
                _ => match &mut star {
                    Some((at, end)) => {
                        *end += 1;
                        (p, n) = (*at + 1, *end);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&c| c == '*')
    }
}

/// Returns the names most similar to `wanted`, the most similar first, and at most three.
pub fn similar<'a>(wanted: &str, names: &'a [String]) -> Vec<&'a str> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let (wanted_last, wanted) = (last(wanted), wanted.to_lowercase());
    let mut ranked: Vec<_> = names
        .iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let contains = !wanted_last.is_empty() && (lower.contains(&wanted_last) || wanted.contains(&last(name)));
            let distance = edit_distance(&wanted, &lower).min(edit_distance(&wanted_last, &last(name)));
            let is_similar = contains || distance * 3 <= wanted_last.chars().count().max(3);
            is_similar.then_some((distance, name.as_str()))
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_can_be_no_name_is_rejected() {
        for name in ["/aws/lambda/orders-dev", "a", "*", "/app/?_#1.x"] {
            assert_eq!(GroupPattern::parse(name), Ok(GroupPattern(name.into())));
        }
        for wrong in ["", "[a", "a b", "é", &"a".repeat(513), "arn:aws:logs:us-east-1:000000000000:log-group:a"] {
            assert!(GroupPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_glob_matches_whole_names() {
        for (pattern, name, matches) in [
            ("/aws/lambda/orders-*", "/aws/lambda/orders-dev", true),
            ("/aws/lambda/orders-*", "/aws/lambda/orders", false),
            ("/aws/*-dev", "/aws/lambda/a-dev-b-dev", true),
            ("/aws/*-dev", "/aws/lambda/a-dev-b", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "aXbYbZc", true),
            ("plain", "plain", true),
            ("plain", "plain2", false),
        ] {
            assert_eq!(GroupPattern(pattern.into()).matches(name), matches, "{pattern} {name}");
        }
        assert_eq!(GroupPattern("/a/b*c".into()).prefix(), "/a/b");
    }

    #[test]
    fn similar_names_are_suggested() {
        let names: Vec<_> =
            ["/aws/lambda/orders-dev", "/aws/lambda/order-prod", "/aws/rds/x", "/aws/lambda/orders-dev-logger"]
                .map(str::to_owned)
                .into();
        assert_eq!(similar("/aws/lambda/orders-dv", &names), ["/aws/lambda/orders-dev"],);
        assert_eq!(similar("orders-dev", &names)[0], "/aws/lambda/orders-dev");
        assert_eq!(similar("/aws/lambda/entirely-different", &names), [""; 0]);
    }
}
