//! Who may talk to the endpoint. It runs uploaded code, so a page in a browser must not reach it: neither by a post
//! across sites, nor through a name that was made to resolve to this machine.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};

use super::server::Peer;
use crate::Services;

/// Refuses what a browser sends and a tool does not: an `Origin`, fetch metadata of another site, a `Host` that is not
/// this endpoint (DNS rebinding). What is not signed and not an AWS request, another machine may not ask at all.
pub async fn refuse(State(services): State<Services>, request: Request, next: Next) -> Response<Body> {
    let reason = browser_sign(request.headers(), request.uri(), services.access.bound)
        .or_else(|| (is_own(&request) && is_remote(&request)).then(|| "it is for this machine only".into()));
    match reason {
        Some(reason) => (StatusCode::FORBIDDEN, format!("refused: {reason}\n")).into_response(),
        None => next.run(request).await,
    }
}

fn is_own(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/_local/") && path != "/_local/health"
}

fn is_remote(request: &Request) -> bool {
    !request.extensions().get::<Peer>().is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback())
}

fn browser_sign(headers: &HeaderMap, uri: &Uri, bound: IpAddr) -> Option<String> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        return Some(format!("the request comes from a web page ({})", origin.to_str().unwrap_or("unreadable origin")));
    }
    if headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin") {
        return Some("the request comes from another site's page".into());
    }
    // HTTP/2 has the authority in the URI instead of a Host header.
    let authority = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = authority.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    match authority {
        Some(authority) if is_this_endpoint(authority, bound) => None,
        Some(authority) => Some(format!("the host {authority} is not this endpoint's address")),
        None => Some("the request names no host".into()),
    }
}

/// Names below `.localhost` are loopback by RFC 6761, which browsers and resolvers follow. A listener on every address
/// does not know which they are; it is enough that the host is an address: no name that could be made to resolve to it.
fn is_this_endpoint(authority: &str, bound: IpAddr) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address == bound || bound.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_this_machines_names_are_hosts() {
        for host in ["127.0.0.1:4566", "localhost", "LOCALHOST:1", "[::1]:4566", "kinesis.localhost:4566", "127.8.9.1"]
        {
            assert_eq!(browser_sign(&headers(&[("host", host)]), &Uri::default(), LOOPBACK), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4566", "192.168.1.2", "0.0.0.0", ""] {
            assert!(browser_sign(&headers(&[("host", host)]), &Uri::default(), LOOPBACK).is_some(), "{host}");
        }
        assert!(browser_sign(&HeaderMap::new(), &Uri::default(), LOOPBACK).is_some());
    }

    #[test]
    fn an_address_that_is_listened_on_is_a_host_too() {
        let host = |host, bound: &str| {
            browser_sign(&headers(&[("host", host)]), &Uri::default(), bound.parse().unwrap()).is_none()
        };
        assert!(host("192.168.1.2:4566", "192.168.1.2") && host("localhost", "192.168.1.2"));
        assert!(!host("192.168.1.3:4566", "192.168.1.2"));
        assert!(host("192.168.1.3:4566", "0.0.0.0") && host("[fe80::1]:4566", "::"));
        assert!(!host("evil.example:4566", "0.0.0.0"));
    }

    #[test]
    fn pages_are_refused() {
        let local = ("host", "127.0.0.1");
        assert!(browser_sign(&headers(&[local, ("origin", "http://127.0.0.1")]), &Uri::default(), LOOPBACK).is_some());
        assert!(
            browser_sign(&headers(&[local, ("sec-fetch-site", "cross-site")]), &Uri::default(), LOOPBACK).is_some()
        );
        assert!(browser_sign(&headers(&[local, ("sec-fetch-site", "none")]), &Uri::default(), LOOPBACK).is_none());
    }
}
