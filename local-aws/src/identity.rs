//! IAM and STS: the little that provisioning needs.
