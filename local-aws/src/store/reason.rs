//! What the engine's errors say, in words: its own text is the debug form of its types.

use std::error::Error as _;
use std::io;

/// The reason of a failure, to end a sentence with.
pub fn of(error: &fjall::Error) -> String {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(system) = inner.downcast_ref::<io::Error>() {
            return system.to_string();
        }
        source = inner.source();
    }
    match error {
        fjall::Error::Locked => "another process has it open",
        fjall::Error::Poisoned => "an earlier write failed",
        fjall::Error::InvalidVersion(_) => "it is of another version of the storage engine",
        fjall::Error::JournalRecovery(_) => "its journal is damaged",
        _ => "a file in it is damaged or missing",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_is_the_debug_form_of_a_type() {
        let system = || io::Error::from_raw_os_error(28);
        assert_eq!(of(&fjall::Error::Io(system())), "No space left on device (os error 28)");
        for error in [fjall::Error::Unrecoverable, fjall::Error::Poisoned, fjall::Error::InvalidTag(("BlockType", 7))] {
            let reason = of(&error);
            assert!(!reason.contains("Error") && !reason.contains(&format!("{error:?}")), "{reason}");
        }
    }
}
