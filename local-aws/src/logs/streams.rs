//! CreateLogStream and DeleteLogStream.

use serde::Deserialize;

use crate::error::AwsError;

use super::Logs;
use super::persist::remove_stream;
use super::state::no_such_stream;

/// The input of both operations.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogStreamName {
    log_group_name: String,
    log_stream_name: String,
}

impl Logs {
    pub(super) fn create_log_stream(&self, input: LogStreamName) -> Result<(), AwsError> {
        let LogStreamName { log_group_name: group, log_stream_name: stream } = input;
        let mut state = self.write();
        if state.group(&group)?.streams.get(&stream).is_some() {
            let text = "The specified log stream already exists";
            return Err(AwsError::bad_request("ResourceAlreadyExistsException", text));
        }
        let mut batch = self.batch();
        self.group_with_stream(&mut state, &group, &stream, &mut batch);
        batch.commit();
        Ok(())
    }

    pub(super) fn delete_log_stream(&self, input: LogStreamName) -> Result<(), AwsError> {
        let LogStreamName { log_group_name: group, log_stream_name: name } = input;
        let mut state = self.write();
        let stream = state.group_mut(&group)?.streams.remove(name.as_str()).ok_or_else(no_such_stream)?;
        let mut batch = self.batch();
        remove_stream(&group, &name, &stream, &mut batch);
        batch.commit();
        Ok(())
    }
}
