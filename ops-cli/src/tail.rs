//! Reading a log group: sweeps over its pages (`sweep`), and what of them is new (`follow`, pure).

pub mod follow;
pub mod sweep;
