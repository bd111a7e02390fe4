#![no_main]
//! Any filter pattern of CloudWatch Logs is parsed or rejected, and matching it against any message ends.

use libfuzzer_sys::fuzz_target;
use local_aws::fuzzing::FilterPattern;

fuzz_target!(|input: (&str, &str)| {
    let (pattern, message) = input;
    if let Ok(pattern) = FilterPattern::parse(pattern) {
        pattern.matches(message);
    }
});
