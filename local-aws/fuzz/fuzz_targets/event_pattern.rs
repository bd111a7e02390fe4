#![no_main]
//! Any event pattern of Lambda's filters is parsed or rejected, and matching it against any event ends.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (pattern, event) = input;
    if let (Ok(pattern), Ok(event)) = (serde_json::from_str(pattern), serde_json::from_str(event)) {
        local_aws::fuzzing::event_pattern(&pattern, &event);
    }
});
