//! The straightforward function, for comparison.

use aws_lambda_events::kinesis::KinesisEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(log)).await
}

async fn log(event: LambdaEvent<KinesisEvent>) -> Result<(), Error> {
    for record in event.payload.records {
        tracing::info!("{}", String::from_utf8_lossy(&record.kinesis.data.0));
    }
    Ok(())
}
