//! Provisions the path: compares the requested path (`desired`) with what exists (`observed`), plans the steps between them (`plan`,
//! pure), and carries them out (`apply`). `delete` deletes the path.

pub mod apply;
pub mod consumer;
pub mod delete;
pub mod desired;
pub mod fields;
pub mod kind;
pub mod observed;
pub mod plan;
pub mod policy;
pub mod report;
pub mod rules;
pub mod setting;
pub mod step;
mod tags;
