//! Compares the endpoint with other emulators in one run, with one boto3 client.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::server::{Peer, Server};
use crate::support::common::install;
use crate::support::{head, median, resident_mib, row};

const STARTS: usize = 5;

pub async fn table(peers: &[Peer]) {
    let boto3 = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/requirements.txt");
    let boto3 = install::python("clients", &boto3).map(|venv| venv.join("bin/python3"));
    if boto3.is_none() {
        println!("boto3 could not be installed: no puts");
    }
    head(["server", "start → first answer", "idle", "PutRecord/s", "PutRecords records/s"]);
    row(["goal", "≤ 50 ms", "≤ 25 MiB", "≥ 90 % of bare ferrokinesis", "≥ 90 % of bare ferrokinesis"]);
    measure("**ops-cli local**", || Server::ours(&[]), boto3.as_ref()).await;
    for peer in peers {
        measure(peer.name, || Server::of(peer), boto3.as_ref()).await;
    }
}

async fn measure(name: &str, start: impl Fn() -> Server, boto3: Option<&PathBuf>) {
    let (mut starts, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let server = start();
        let Some(first) = server.first_answer().await else {
            row([name, "no answer within a minute", "", "", ""]);
            return;
        };
        starts.push(first.as_secs_f64() * 1000.0);
        resident.push(resident_mib(server.pid()));
    }
    let server = start();
    server.first_answer().await;
    let puts = boto3.and_then(|python| puts(&server, python));
    let rate =
        |name: &str| puts.as_ref().map_or("–".to_owned(), |puts| format!("{:.0}", puts[name].as_f64().unwrap()));
    row([
        name,
        &format!("{:.0} ms", median(&starts)),
        &format!("{:.1} MiB", median(&resident)),
        &rate("putRecord"),
        &rate("putRecords"),
    ]);
}

fn puts(server: &Server, python: &Path) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/endpoint/puts.py");
    let output = server.client(python).arg(script).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    answer.map_err(|_| println!("{}", String::from_utf8_lossy(&output.stderr))).ok()
}
