//! Provisioning: what is wanted (`desired`), what is there (`observed`), the steps between them (`plan`, pure), and
//! carrying them out (`apply`).

pub mod apply;
pub mod delete;
pub mod desired;
pub mod observed;
pub mod plan;
pub mod step;
mod tags;
