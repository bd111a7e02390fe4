//! Parsers of option values that several commands share.

use std::ops::RangeInclusive;

/// Parses a number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".into()),
    }
}

/// A parser of a number in a range, whose errors name the range.
pub fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: std::str::FromStr + PartialOrd + Copy + Into<u64>,
{
    move |text| match text.parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(match ((*range.start()).into(), (*range.end()).into()) {
            (start, u64::MAX) => format!("expected a whole number from {start} on"),
            (start, end) => format!("expected a whole number from {start} to {}", with_separators(end)),
        }),
    }
}

/// A number with commas between thousands.
fn with_separators(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_answered_with_the_range() {
        let (count, lines) = (number(1..=u64::MAX), number(0..=100_000_u64));
        assert_eq!((count("1"), lines("100000")), (Ok(1), Ok(100_000)));
        for wrong in ["0", "-1", "x", "1.5", "99999999999999999999", ""] {
            assert_eq!(count(wrong), Err("expected a whole number from 1 on".into()), "{wrong}");
        }
        assert_eq!(lines("100001"), Err("expected a whole number from 0 to 100,000".into()));
        assert_eq!([0, 12, 1234, 1_000_000].map(with_separators), ["0", "12", "1,234", "1,000,000"]);
    }
}
