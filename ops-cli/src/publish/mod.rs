//! Publishing: lines → records (`source`) → requests (`pack`, pure) → the stream (`send`).

pub mod pack;
pub mod send;
pub mod source;
