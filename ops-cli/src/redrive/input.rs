//! The on-failure documents that a run is given: read, without repetitions, and checked.

use std::collections::HashSet;
use std::path::PathBuf;

use kinesis_event_logger_core::names::Names;

use super::batches;
use super::destinations;
use super::document::{self, FailedBatch};
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::text;

pub fn of_files(files: &[PathBuf]) -> Result<Vec<FailedBatch>> {
    let stdin = [PathBuf::from("-")];
    let mut read = Vec::new();
    for path in if files.is_empty() { &stdin[..] } else { files } {
        let (name, content) = text::read(path)?;
        let parsed = document::parse(&content).map_err(|reason| {
            Error::usage(format!("{name} {reason}"))
                .hint("give the documents that a Kinesis mapping's on-failure destination received; nothing was sent")
        })?;
        read.extend(parsed);
    }
    if read.is_empty() {
        return Err(
            Error::usage("the input has no documents").hint("give files with on-failure documents, or one on stdin")
        );
    }
    Ok(read)
}

/// Reads the documents of a destination of the endpoint, which may also receive those of other functions.
pub async fn of_destination(aws: &Aws, name: &str, names: &Names) -> Result<Vec<FailedBatch>> {
    let url = aws.endpoint_url().filter(|_| aws.is_this_machine()).ok_or_else(|| {
        Error::usage("--from-destination reads from the local endpoint")
            .hint("use it with --local; on AWS, receive the documents from the queue or bucket and give them as files")
    })?;
    let mut batches = destinations::read(url, name).await?;
    batches.retain(|batch| batch.stream() == names.stream() && batch.function() == names.function());
    if batches.is_empty() {
        return Err(Error::failed(format!(
            "the destination {name} has no documents about the function {}",
            names.function()
        ))
        .hint("check --app, --stage, --function and --stream"));
    }
    Ok(batches)
}

/// Drops repeated documents: queues deliver a message more than once.
pub fn distinct(documents: Vec<FailedBatch>) -> Vec<FailedBatch> {
    let mut seen = HashSet::new();
    let is_first = |document: &FailedBatch| {
        let is_first = seen.insert(document.batch());
        if !is_first {
            note(&format!("skipped a second document about {}", batches::name(document)));
        }
        is_first
    };
    documents.into_iter().filter(is_first).collect()
}

/// Rejects documents about another stream or function, before anything is sent.
pub fn check(documents: &[FailedBatch], names: &Names) -> Result<()> {
    for batch in documents {
        let (stream, function) = (batch.stream(), batch.function());
        if stream != names.stream() {
            return Err(Error::usage(format!("a document is about the stream {stream}, not {}", names.stream())).hint(
                format!("use --stream {stream}, or the --app and --stage that it belongs to; nothing was sent"),
            ));
        }
        if function != names.function() {
            return Err(Error::usage(format!("a document is about the function {function}, not {}", names.function()))
                .hint(format!(
                    "use --function {function}, or the --app and --stage that it belongs to; nothing was sent"
                )));
        }
    }
    Ok(())
}
