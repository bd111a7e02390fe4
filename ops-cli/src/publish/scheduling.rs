//! Decides which records are sent where and when. Pure, except for [`shards`], which lists the stream's shards.

pub mod batch;
pub mod bucket;
pub mod delays;
pub mod dry_run;
pub mod lane;
pub mod load;
pub mod pace;
pub mod queue;
pub mod shards;
