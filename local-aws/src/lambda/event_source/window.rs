//! Tumbling windows: the state that a function passes from batch to batch, and the end of a window. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The largest state, in bytes. A larger one ends its window early.
pub const MAX_STATE_BYTES: usize = 1_048_576;

/// A record gets its arrival time shortly before it can be read. A window waits this long for its last records.
const GRACE_MS: i64 = 100;

/// The open window of one shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Epoch milliseconds.
    start: i64,
    end: i64,
    /// JSON, as the function returned it.
    state: String,
}

#[derive(Deserialize)]
struct WindowResponse<'a> {
    #[serde(borrow)]
    state: Option<&'a RawValue>,
}

/// The start of the window of a record with this arrival, in epoch milliseconds. The first window starts with the epoch.
pub fn start_of(arrival: i64, length_ms: i64) -> i64 {
    arrival - arrival.rem_euclid(length_ms.max(1))
}

impl Window {
    /// Creates a window with the initial state.
    pub fn new(start: i64, length_ms: i64) -> Self {
        Self { start, end: start + length_ms, state: "{}".into() }
    }

    /// This window with the state of the function's response. Returns `None` if it has no state, which fails the invocation.
    pub fn with_state_of(&self, payload: &[u8]) -> Option<Self> {
        let response: WindowResponse = serde_json::from_slice(payload).ok()?;
        Some(Self { state: response.state?.get().to_owned(), ..self.clone() })
    }

    /// Whether the state is too large. Then the final invocation is due, and the window continues with an initial state.
    pub fn is_terminated_early(&self) -> bool {
        self.state.len() > MAX_STATE_BYTES
    }

    /// Whether the final invocation is due. `next` is the window of the next queued record. If it is `None`, nothing was left to
    /// read at `now`.
    pub fn is_due(&self, next: Option<i64>, is_end_of_shard: bool, now: i64) -> bool {
        // If the clock was set back, records stay in the open window.
        let is_over = next.map_or(is_end_of_shard || self.due() <= now, |next| next > self.start);
        self.is_terminated_early() || is_over
    }

    /// When the window ends if no more records come, in epoch milliseconds.
    pub fn due(&self) -> i64 {
        self.end + GRACE_MS
    }

    /// The members that a window's event has in addition to its records, in AWS's order.
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
    fn a_response_without_state_is_a_failure() {
        assert_eq!(window().with_state_of(br#"{"state": {"a" :1}}"#).unwrap().state, r#"{"a" :1}"#);
        for payload in ["null", "{}", "[]", r#"{"batchItemFailures":[]}"#, "not JSON", r#"{"state":null}"#] {
            assert_eq!(window().with_state_of(payload.as_bytes()), None, "{payload}");
        }
    }

    #[test]
    fn time_a_later_record_and_the_shards_end_close_a_window() {
        assert!(!window().is_due(None, false, 180_000) && window().is_due(None, false, window().due()));
        assert!(window().is_due(Some(180_000), false, 0));
        assert!(!window().is_due(Some(120_000), true, 999_999), "its own records come first");
        assert!(!window().is_due(Some(60_000), false, 999_999), "a clock set back opens no earlier window");
        assert!(window().is_due(None, true, 0));
    }

    #[test]
    fn a_state_that_is_too_large_ends_the_window_early() {
        let response = |length: usize| format!(r#"{{"state":"{}"}}"#, "x".repeat(length - 2));
        let fits = window().with_state_of(response(MAX_STATE_BYTES).as_bytes()).unwrap();
        assert!(!fits.is_due(Some(120_000), false, 0));
        let large = window().with_state_of(response(MAX_STATE_BYTES + 1).as_bytes()).unwrap();
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
