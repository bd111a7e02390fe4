//! Compares the output that a page shows with the output of the command.

/// Stands for any text within a line, and for any number of lines if it is a line by itself.
const ELLIPSIS: &str = "…";

/// Whether the lines that a page shows match the lines that a command printed. Durations match any others.
pub fn matches(shown: &[String], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((line, rest)), _) if line == ELLIPSIS => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        (Some((line, shown)), Some((other, printed))) => line_matches(line, other) && matches(shown, printed),
        _ => false,
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (without_durations(shown), without_durations(printed));
    let Some((beginning, mut parts)) = shown.split_once(ELLIPSIS) else { return shown == printed };
    let Some(mut rest) = printed.strip_prefix(beginning) else { return false };
    while let Some((part, more)) = parts.split_once(ELLIPSIS) {
        let Some(found) = rest.find(part) else { return false };
        (rest, parts) = (&rest[found + part.len()..], more);
    }
    rest.ends_with(parts)
}

/// Replaces durations, such as `13.0 ms` and `0.29 s`, and the spaces that align them.
fn without_durations(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    let is_number = |word: &&str| word.parse::<f64>().is_ok();
    let is_unit = |word: &&str| matches!(word.trim_end_matches(','), "ms" | "s");
    let is_duration = |index: usize| {
        let pair = (words.get(index), words.get(index + 1));
        matches!(pair, (Some(number), Some(unit)) if is_number(number) && is_unit(unit))
    };
    if !(0..words.len()).any(is_duration) {
        return line.trim_end().to_owned();
    }
    let is_unit_of_duration = |index: usize| index > 0 && is_duration(index - 1);
    let shown = words.iter().enumerate().filter(|(index, _)| !is_unit_of_duration(*index));
    let shown = shown.map(|(index, word)| if is_duration(index) { "DURATION" } else { word });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(shown: &str, printed: &str) -> bool {
        let shown: Vec<_> = shown.lines().map(str::to_owned).collect();
        matches(&shown, &printed.lines().collect::<Vec<_>>())
    }

    #[test]
    fn an_ellipsis_matches_text_and_lines() {
        assert!(is_match("shardId-000000000000 4968…", "shardId-000000000000 49680123"));
        assert!(is_match(r#"{"a":"…","b":"…"}"#, r#"{"a":"1","b":"2"}"#));
        assert!(is_match("…\nlast", "first\nsecond\nlast"));
        assert!(is_match("first\n…", "first"));
    }

    #[test]
    fn other_output_does_not_match() {
        for (shown, printed) in [
            ("deleted 5 parts", "deleted 4 parts"),
            ("one\ntwo", "one"),
            ("one", "one\ntwo"),
            (r#"{"a":"…","b":2}"#, r#"{"a":"1","b":3}"#),
            ("a…ab", "ab"),
            ("…\nlast", "first\nlast\nmore"),
        ] {
            assert!(!is_match(shown, printed), "{shown:?} {printed:?}");
        }
    }

    #[test]
    fn durations_match_any_others() {
        assert!(is_match("tear down                  50.5 ms", "tear down                   0.12 s"));
        assert!(is_match("p50 11 ms, p90 15 ms", "p50 9 ms, p90 120 ms"));
        assert!(!is_match("tear down 50.5 ms", "provision 50.5 ms"));
    }
}
