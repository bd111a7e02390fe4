//! Documents of on-failure destinations are persisted in the data directory and listed over HTTP.
#![allow(clippy::unwrap_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn destinations_of_an_earlier_run_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("destinations/sqs/queue");
    std::fs::create_dir_all(&queue).unwrap();
    std::fs::write(folder.path().join("local-aws.json"), r#"{"format":1}"#).unwrap();
    std::fs::write(queue.join("1.json"), r#"{"version":"1.0"}"#).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = local_aws::Config { data_dir: Some(folder.path().to_owned()), ..local_aws::Config::default() };
    let server = tokio::spawn(local_aws::run(listener, config, std::future::pending()));

    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /_local/destinations HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    server.abort();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let listed: serde_json::Value = serde_json::from_str(body).unwrap();
    let file = queue.join("1.json");
    let expected = serde_json::json!([{ "service": "sqs", "name": "queue", "key": "1.json", "file": file, "document": { "version": "1.0" } }]);
    assert_eq!(listed, expected);
}
