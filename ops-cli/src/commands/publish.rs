//! `publish`: put records on the stream.

use kinesis_event_logger_core::limits;

use crate::aws::{self, Aws};
use crate::cli::{Global, Publish};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::provision::observed::stream_summary;
use crate::publish::pack::Packer;
use crate::publish::send::Sender;
use crate::publish::source::Source;

pub async fn run(global: &Global, args: &Publish, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let source = Source::open(args)?;
    let aws = Aws::connect(global).await?;
    let stream = names.stream();
    let summary = stream_summary(&aws, stream).await?.ok_or_else(|| {
        Error::failed(format!("there is no stream {stream} in {}", aws.region))
            .hint("make it with `ops-cli provision --zip FILE`, or check --stream, --app, --stage and --region")
    })?;
    let max_bytes = summary.max_record_size_in_kib.map_or(limits::RECORD_BYTES, |kib| kib as usize * 1024);
    let sender = Sender::new(aws.kinesis(), stream);
    let mut packer = Packer::default();
    let mut count = 0_u64;
    let mut records = source.records(args.key.clone(), max_bytes);
    let ended = loop {
        match records.next().await {
            Ok(Some(record)) => {
                count += 1;
                if let Some(full) = packer.push(record) {
                    output.show_all(sender.send(full).await?.iter())?;
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // Also before an error of the input: what came before it is published.
    if let Some(rest) = packer.finish() {
        output.show_all(sender.send(rest).await?.iter())?;
    }
    ended?;
    if count == 0 {
        return Err(Error::usage("the input has no records")
            .hint("give the data as an argument, or one record a line on stdin or in --file"));
    }
    Ok(())
}
