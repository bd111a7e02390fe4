//! Who may talk to the endpoint. It runs uploaded code, so a page in a browser must not reach it: neither by a post
//! across sites, nor through a name that was made to resolve to this machine.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};

/// Refuses what a browser sends and a tool does not: an `Origin`, fetch metadata of another site, a `Host` that is not
/// this machine (DNS rebinding).
pub async fn refuse_browsers(request: Request, next: Next) -> Response<Body> {
    match browser_sign(request.headers(), request.uri()) {
        Some(reason) => (StatusCode::FORBIDDEN, format!("refused: {reason}\n")).into_response(),
        None => next.run(request).await,
    }
}

fn browser_sign(headers: &HeaderMap, uri: &Uri) -> Option<String> {
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
        Some(authority) if is_loopback(authority) => None,
        Some(authority) => Some(format!("the host {authority} is not this machine's loopback address")),
        None => Some("the request names no host".into()),
    }
}

/// Names below `.localhost` are loopback by RFC 6761, which browsers and resolvers follow.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_this_machines_names_are_hosts() {
        for host in ["127.0.0.1:4566", "localhost", "LOCALHOST:1", "[::1]:4566", "kinesis.localhost:4566", "127.8.9.1"]
        {
            assert_eq!(browser_sign(&headers(&[("host", host)]), &Uri::default()), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4566", "192.168.1.2", "0.0.0.0", ""] {
            assert!(browser_sign(&headers(&[("host", host)]), &Uri::default()).is_some(), "{host}");
        }
        assert!(browser_sign(&HeaderMap::new(), &Uri::default()).is_some());
    }

    #[test]
    fn pages_are_refused() {
        let local = ("host", "127.0.0.1");
        assert!(browser_sign(&headers(&[local, ("origin", "http://127.0.0.1")]), &Uri::default()).is_some());
        assert!(browser_sign(&headers(&[local, ("sec-fetch-site", "cross-site")]), &Uri::default()).is_some());
        assert!(browser_sign(&headers(&[local, ("sec-fetch-site", "none")]), &Uri::default()).is_none());
    }
}
