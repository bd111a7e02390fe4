//! `--save`, and `publish --entries` with the file.

use kinesis_event_logger_core::AggregateBuilder;

use super::common::{Run, scratch};
use super::{Fixture, assert_shown_once, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn saved_records_are_published_again_as_they_were() {
    let fixture = Fixture::new(2).await;
    let mut builder = AggregateBuilder::new(1024 * 1024);
    (0..50).for_each(|n| builder.add("user", None, format!("inside {n}").as_bytes()).unwrap());
    fixture.put(&numbered("record", 0..700)).await;
    fixture.put_one("a", &builder.build()).await;
    fixture.put_one("binary", b"\xff\x00\x1b").await;
    let format = "%k %i %s %S\\n";
    let file = scratch("consume-saved.ndjson");
    let saved = file.to_str().unwrap();
    let shown = fixture.consume(&["--save", saved, "--format", format]).ok().stdout;
    assert_eq!(shown.lines().count(), 751);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 702, "an aggregate is one entry");
    fixture.consume(&["--save", saved]).failed(2, "exists already", "choose another name");

    let other = Fixture::new(4).await;
    for pace in [&[][..], &["--pace", "100x"]] {
        let run = other.endpoint.run(["publish", "--entries", "--file", saved].iter().chain(pace)).ok();
        drop(run);
    }
    let replayed: Vec<_> = shown.lines().chain(shown.lines()).map(str::to_owned).collect();
    assert_shown_once(other.consume(&["--format", format]).ok().stdout.lines(), &replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_shown_is_saved() {
    let fixture = Fixture::new(1).await;
    fixture.put(&numbered("record", 0..100)).await;
    let file = scratch("consume-saved-some.ndjson");
    let saved = file.to_str().unwrap();
    fixture.consume(&["--save", saved, "--grep", "5$", "--count", "3"]).ok();
    let run = Run::with_stdin(
        &mut fixture.endpoint.ops(["publish", "--entries", "--dry-run"]),
        &std::fs::read(&file).unwrap(),
    );
    run.ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3);
}
