//! The endpoint runs uploaded code, so it listens on loopback and nowhere else.
#![allow(clippy::unwrap_used)]

use tokio::net::TcpListener;

#[tokio::test]
async fn another_address_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = local_aws::run(listener, local_aws::Config::default(), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("not a loopback address"), "{error}");
}

#[tokio::test]
async fn a_loopback_address_is_served_until_it_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    local_aws::run(listener, local_aws::Config::default(), std::future::ready(())).await.unwrap();
}
