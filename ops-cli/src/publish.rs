//! Publishing: inputs (`source`, `encoding`) → records (`records`, `keys`, `compress`) → what may go where and when (`queue`, `lane`, `pack`, `pace`, `load`, `bucket`, `delays`: pure) → the
//! stream (`send`) → receipts, dead letters and the sum of both (`ledger`).

pub mod answer;
pub mod bucket;
pub mod compress;
pub mod dead_letters;
pub mod delays;
pub mod dry_run;
pub mod encoding;
pub mod histogram;
pub mod keys;
pub mod lane;
pub mod ledger;
pub mod load;
pub mod memory;
pub mod pace;
pub mod pack;
pub mod progress;
pub mod queue;
pub mod read_ahead;
pub mod receipt_lines;
pub mod receipts;
pub mod record;
pub mod records;
pub mod request;
pub mod send;
pub mod shards;
pub mod source;
pub mod summary;
pub mod turn;
