//! Redrives the records of failed batches: [`input`] and [`document`] read on-failure documents, [`fetch`] reads the records that they
//! name, and [`to_function`] or [`to_stream`] sends the records again. [`redriven`] are those that an earlier run sent.

pub mod batches;
pub mod destinations;
pub mod document;
pub mod fetch;
pub mod input;
pub mod redriven;
pub mod response;
pub mod summary;
pub mod to_function;
pub mod to_stream;
