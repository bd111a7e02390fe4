//! Formats instants as RFC 3339 text.
//!
//! Every line has two instants, so this is integer arithmetic instead of a calendar library. A property test compares it
//! with one.

use std::ops::RangeInclusive;

/// The instants that RFC 3339 can express, in epoch milliseconds: the years 0000 to 9999.
pub(crate) const WRITABLE_MS: RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

const DAY_MS: u64 = 86_400_000;

/// The days of 400 years.
const DAYS_OF_ERA: u32 = 146_097;

/// Formats an instant in epoch milliseconds as lines do: `2026-11-23T16:56:00.123Z`. An instant outside the years 0000 to
/// 9999 becomes the nearest one inside.
pub fn rfc3339(epoch_ms: i64) -> String {
    let mut text = Vec::new();
    push_rfc3339(&mut text, epoch_ms);
    text.into_iter().map(char::from).collect()
}

/// Appends `epoch_ms` as `2026-11-23T16:56:00.123Z`. An instant outside [`WRITABLE_MS`] becomes the nearest one inside.
pub(crate) fn push_rfc3339(out: &mut Vec<u8>, epoch_ms: i64) {
    let since_year_0 = (epoch_ms.clamp(*WRITABLE_MS.start(), *WRITABLE_MS.end()) - WRITABLE_MS.start()).cast_unsigned();
    let (days, in_day) = ((since_year_0 / DAY_MS) as u32, (since_year_0 % DAY_MS) as u32);
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    put_pair(&mut text, 0, year / 100);
    put_pair(&mut text, 2, year % 100);
    put_pair(&mut text, 5, month);
    put_pair(&mut text, 8, day);
    put_pair(&mut text, 11, in_day / 3_600_000);
    put_pair(&mut text, 14, in_day / 60_000 % 60);
    put_pair(&mut text, 17, in_day / 1000 % 60);
    text[20] = digit(in_day / 100 % 10);
    put_pair(&mut text, 21, in_day % 100);
    out.extend_from_slice(&text);
}

/// Parses an instant in the form of [`rfc3339`], to epoch milliseconds.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let &[y, yy, yyy, yyyy, b'-', m, mm, b'-', d, dd, b'T', h, hh, b':', n, nn, b':', s, ss, b'.', t, tt, ttt, b'Z'] =
        text.as_bytes()
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    };
    let days = days_from_civil(number(&[y, yy, yyy, yyyy])?, number(&[m, mm])?, number(&[d, dd])?);
    let seconds = (number(&[h, hh])? * 60 + number(&[n, nn])?) * 60 + number(&[s, ss])?;
    let epoch_ms = days * DAY_MS.cast_signed() + seconds * 1000 + number(&[t, tt, ttt])?;
    // A date or time that does not exist is formatted as another one.
    (rfc3339(epoch_ms) == text).then_some(epoch_ms)
}

/// Writes the two decimal digits of `value`.
fn put_pair(text: &mut [u8; 24], index: usize, value: u32) {
    text[index] = digit(value / 10);
    text[index + 1] = digit(value % 10);
}

fn digit(value: u32) -> u8 {
    b'0' + value as u8
}

/// Converts a number of days since 0000-01-01 to year, month and day of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years begin in March, eras are 400 years).
fn civil_from_days(days: u32) -> (u32, u32, u32) {
    // The first era begins on 1 March of the year -400.
    let days = days + DAYS_OF_ERA - 60;
    let day_of_era = days % DAYS_OF_ERA;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (days / DAYS_OF_ERA * 400 + year_of_era + u32::from(month <= 2) - 400, month, day)
}

/// Converts year, month and day to a number of days since 1970-01-01 (Howard Hinnant, `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * i64::from(DAYS_OF_ERA) + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_instants_are_formatted() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(1_545_084_650_987), "2018-12-17T22:10:50.987Z");
        assert_eq!(rfc3339(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn dates_and_times_that_do_not_exist_are_not_parsed() {
        for text in [
            "2026-02-29T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:60:00.000Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01 00:00:00.000Z",
            "2026-01-01T00:00:00.00xZ",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_formatted_instant_parses_to_itself(epoch_ms in WRITABLE_MS) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(epoch_ms)), Some(epoch_ms));
        }

        #[test]
        fn agrees_with_a_calendar_library(epoch_ms in WRITABLE_MS) {
            let timestamp = jiff::Timestamp::from_millisecond(epoch_ms);
            // The library's range ends a day short of the year 9999's end.
            prop_assume!(timestamp.is_ok());
            prop_assert_eq!(rfc3339(epoch_ms), format!("{:.3}", timestamp.unwrap()));
        }
    }
}
