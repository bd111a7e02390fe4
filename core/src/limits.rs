//! The services' limits.

/// Records of one PutRecords request.
pub const PUT_RECORDS_MAX_RECORDS: usize = 500;
/// Bytes of one PutRecords request: data and partition keys.
pub const PUT_RECORDS_MAX_BYTES: usize = 10 * 1024 * 1024;
/// Characters of a partition key.
pub const PARTITION_KEY_MAX_CHARS: usize = 256;
