//! HTTP: which service a request is for, who may send it, and errors as each protocol words them.

mod error;

pub use error::AwsError;
