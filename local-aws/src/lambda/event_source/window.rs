//! Tumbling windows: the state that a function hands from batch to batch, and when a window ends. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of a state; a larger one ends its window early.
pub const MAX_STATE_BYTES: usize = 1_048_576;

/// A record gets its time of arrival a moment before it can be read: so long a window waits for the last ones.
const GRACE_MS: i64 = 100;

/// A window of one shard that is not closed yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Epoch milliseconds.
    start: i64,
    end: i64,
    /// JSON, as the function gave it.
    state: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    state: Option<&'a RawValue>,
}

/// When the window begins that a record of this arrival is in, in epoch milliseconds. Windows begin with the epoch.
pub fn start_of(arrival: i64, length_ms: i64) -> i64 {
    arrival - arrival.rem_euclid(length_ms.max(1))
}

impl Window {
    /// A window with the state that every one begins with.
    pub fn new(start: i64, length_ms: i64) -> Self {
        Self { start, end: start + length_ms, state: "{}".into() }
    }

    /// This window with the state that the function answered; none without a state, which fails the invocation.
    pub fn answered(&self, payload: &[u8]) -> Option<Self> {
        let answer: Answer = serde_json::from_slice(payload).ok()?;
        Some(Self { state: answer.state?.get().to_owned(), ..self.clone() })
    }

    /// The state is larger than may be: the final invocation comes now, and the window goes on with a fresh state.
    pub fn is_terminated_early(&self) -> bool {
        self.state.len() > MAX_STATE_BYTES
    }

    /// Whether its final invocation is due: `next` is the window of the record that waits, if one does; without one, nothing
    /// was left to read at `now`.
    pub fn is_due(&self, next: Option<i64>, is_end_of_shard: bool, now: i64) -> bool {
        // What comes with a clock set back stays in the window that is open.
        let is_over = next.map_or(is_end_of_shard || self.due() <= now, |next| next > self.start);
        self.is_terminated_early() || is_over
    }

    /// When it ends if nothing more comes, in epoch milliseconds.
    pub fn due(&self) -> i64 {
        self.end + GRACE_MS
    }

    /// The members that a windowed event has beside its records, in AWS's order.
    pub fn members(&self, shard_id: &str, stream_arn: &str, is_final: bool) -> String {
        let (start, end) = (iso(self.start), iso(self.end));
        let is_early = is_final && self.is_terminated_early();
        format!(
            r#","window":{{"start":"{start}","end":"{end}"}},"state":{},"shardId":"{shard_id}","eventSourceARN":"{stream_arn}","isFinalInvokeForWindow":{is_final},"isWindowTerminatedEarly":{is_early}"#,
            self.state
        )
    }
}

fn iso(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window() -> Window {
        Window::new(120_000, 60_000)
    }

    #[test]
    fn a_record_is_in_the_window_of_its_arrival() {
        assert_eq!([119_999, 120_000, 179_999].map(|arrival| start_of(arrival, 60_000)), [60_000, 120_000, 120_000]);
    }

    #[test]
    fn an_answer_without_state_is_a_failure() {
        assert_eq!(window().answered(br#"{"state": {"a" :1}}"#).unwrap().state, r#"{"a" :1}"#);
        for payload in ["null", "{}", "[]", r#"{"batchItemFailures":[]}"#, "no JSON", r#"{"state":null}"#] {
            assert_eq!(window().answered(payload.as_bytes()), None, "{payload}");
        }
    }

    #[test]
    fn a_window_is_closed_by_time_by_a_later_record_and_by_the_shards_end() {
        assert!(!window().is_due(None, false, 180_000) && window().is_due(None, false, window().due()));
        assert!(window().is_due(Some(180_000), false, 0));
        assert!(!window().is_due(Some(120_000), true, 999_999), "its own records come first");
        assert!(!window().is_due(Some(60_000), false, 999_999), "a clock set back opens no earlier window");
        assert!(window().is_due(None, true, 0));
    }

    #[test]
    fn a_state_that_is_too_large_ends_the_window_early() {
        let answer = |length: usize| format!(r#"{{"state":"{}"}}"#, "x".repeat(length - 2));
        let fits = window().answered(answer(MAX_STATE_BYTES).as_bytes()).unwrap();
        assert!(!fits.is_due(Some(120_000), false, 0));
        let large = window().answered(answer(MAX_STATE_BYTES + 1).as_bytes()).unwrap();
        assert!(large.is_due(Some(120_000), false, 0));
        assert!(
            large.members("s", "a", true).ends_with(r#""isFinalInvokeForWindow":true,"isWindowTerminatedEarly":true"#)
        );
    }

    #[test]
    fn the_members_are_awss() {
        assert_eq!(
            Window::new(1_607_497_440_000, 120_000).members("shardId-000000000006", "arn", false),
            r#","window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},"state":{},"shardId":"shardId-000000000006","eventSourceARN":"arn","isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false"#
        );
    }

    proptest! {
        /// Every moment is in exactly one window.
        #[test]
        fn windows_neither_overlap_nor_leave_gaps(arrival in 0i64..4_000_000_000_000, seconds in 1i64..=900) {
            let start = start_of(arrival, seconds * 1000);
            prop_assert!(start <= arrival && arrival < start + seconds * 1000);
            prop_assert_eq!(start % (seconds * 1000), 0);
        }
    }
}
