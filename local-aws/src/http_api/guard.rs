//! Rejects other users of this machine and web pages. The endpoint runs uploaded code, so a page in a browser must not
//! reach it, neither with a cross-site POST nor through a name that resolves to this machine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::sync::SemaphorePermit;

use super::api::{Access, Api};
use super::body::{self, Allowance};
use super::head::Head;
use super::server::Peer;
use crate::config::Limits;
use crate::error::{AwsError, Protocol};
use crate::operation::{MIB, Metadata, ServiceName};
use crate::services;
use crate::signature::SignatureError;
use crate::sts::Session;

/// Rejects requests with browser-only headers: an `Origin`, fetch metadata of another site, or a `Host` that is not
/// this endpoint (DNS rebinding).
pub async fn refuse_browsers(State(api): State<Api>, request: Request, next: Next) -> Response<Body> {
    let (headers, access) = (request.headers(), &api.access);
    let reason = browser_sign(headers, request.uri(), access.bound).or_else(|| {
        let is_unsigned = !access.verify || request.uri().path().starts_with("/_local/");
        let is_browsers = is_unsigned && !request.method().is_safe() && is_of_a_browser(headers);
        is_browsers.then(|| "an unsigned request that changes something comes from a browser".to_owned())
    });
    match reason {
        Some(reason) => refused(&reason),
        None => next.run(request).await,
    }
}

/// Allows only the user of this process to use the endpoint's own pages. If other machines can connect, whose users are
/// not known here, requests must be signed.
pub async fn admit_to_own_pages(State(api): State<Api>, request: Request, next: Next) -> Response<Body> {
    let access = &api.access;
    if !access.allow_remote {
        return match is_own(&request) {
            true => next.run(request).await,
            false => refused("only the user who runs the endpoint may use this page"),
        };
    }
    let (head, mut protocol) = (Head::parse(&request), Protocol::RestJson);
    match verify(&api, head, &mut protocol, request).await {
        Ok(Admitted { request, room: _room, .. }) => next.run(request.map(Body::from)).await,
        Err(error) => protocol.respond(&error).map(Body::from),
    }
}

fn refused(reason: &str) -> Response<Body> {
    (StatusCode::FORBIDDEN, format!("rejected: {reason}\n")).into_response()
}

/// Returns whether a process of this user sent the request.
fn is_own<B>(request: &http::Request<B>) -> bool {
    request.extensions().get::<Peer>().is_some_and(|peer| peer.is_own)
}

/// A request whose sender may send it.
pub struct Admitted {
    pub head: Head,
    pub request: http::Request<Bytes>,
    /// The service that the request was signed for. `None` if it was not verified.
    pub signed_for: Option<String>,
    /// The session of the function that signed the request.
    pub session: Option<Arc<Session>>,
    /// The room of the body in memory, held until the response is sent.
    pub room: Option<SemaphorePermit<'static>>,
}

/// Checks whether the sender may send this request, and reads its body. If signatures are not required, unsigned
/// requests are accepted from processes of this user.
///
/// # Errors
/// The signature is missing or wrong, the body cannot be read, or the request changes something with a method that an
/// old browser uses without browser-only headers.
///
/// `protocol` is the one for the error. It is corrected when more is known.
pub async fn admit(api: &Api, head: Head, protocol: &mut Protocol, request: Request) -> Result<Admitted, AwsError> {
    let access = &api.access;
    if access.verify || !is_own(&request) {
        return verify(api, head, protocol, request).await;
    }
    if request.method().is_safe() && !only_reads(&head, &request) {
        let message = "The local endpoint does not accept changes by an unsigned GET: send a POST.";
        return Err(AwsError::new(403, "AccessDeniedException", message));
    }
    let (parts, body) = request.into_parts();
    let body = body::read(body, &parts.headers, &allowance(access, head.operation())).await?;
    let request = http::Request::from_parts(parts, body.bytes);
    Ok(Admitted { head, request, signed_for: None, session: None, room: body.room })
}

/// Verifies the signature. Checks the head before the body is read, so that an unauthenticated client uses no further
/// resources, except for the beginning of a form.
async fn verify(api: &Api, head: Head, protocol: &mut Protocol, request: Request) -> Result<Admitted, AwsError> {
    let detected = head.protocol;
    let refused = |error: SignatureError| {
        // Logged as a warning, because a person with other credentials looks for it.
        tracing::warn!(reason = %error, "request rejected");
        error.for_protocol(detected)
    };
    let access = &api.access;
    // A function signs with its session's credentials.
    let session = head.claim.as_ref().ok().and_then(|claim| api.services.sts.session(&claim.access_key_id));
    let credentials = session.as_ref().map_or(&access.credentials, |session| &session.credentials);
    let checked = match &head.claim {
        Ok(claim) => claim.check(request.headers(), credentials, Timestamp::now()).map(|()| claim),
        Err(error) => Err(error.clone()),
    };
    let claim = match checked {
        Ok(claim) => claim,
        Err(error) => {
            find_service(protocol, request).await;
            return Err(refused(error));
        }
    };
    let (parts, body) = request.into_parts();
    let body = body::read(body, &parts.headers, &allowance(access, head.operation())).await?;
    protocol.learn_from(&body.bytes);
    let request = http::Request::from_parts(parts, body.bytes);
    claim.verify(&request, body.sha256, credentials).map_err(refused)?;
    let signed_for = Some(claim.service.clone());
    Ok(Admitted { head, request, signed_for, session, room: body.room })
}

/// The most bytes of a rejected form that are read. Clients begin it with the action and the version.
const FORM_START: usize = 4096;
/// The longest wait for them.
const FORM_WAIT: Duration = Duration::from_millis(500);

/// Finds the service of a rejected form in the beginning of its body.
async fn find_service(protocol: &mut Protocol, request: Request) {
    // Reading would make hyper ask the client to continue.
    if !matches!(protocol, Protocol::Query(_)) || request.headers().contains_key(header::EXPECT) {
        return;
    }
    let (mut body, mut form) = (request.into_body(), Vec::new());
    let read = async {
        while form.len() < FORM_START
            && let Some(Ok(frame)) = body.frame().await
        {
            let data = frame.data_ref().map_or(&[][..], |data| data);
            form.extend_from_slice(&data[..data.len().min(FORM_START - form.len())]);
        }
    };
    tokio::time::timeout(FORM_WAIT, read).await.ok();
    protocol.learn_from(&form);
}

/// The limits of the body: those of the operation, or the default if the head does not name one.
pub fn allowance(access: &Access, operation: Option<&Metadata>) -> Allowance<'static> {
    let Limits { body_pause: pause, body: whole, .. } = access.limits;
    let (bytes, operation) = operation.map_or((MIB, ""), |operation| (operation.body_limit, operation.name));
    Allowance { bytes, operation, pause, whole }
}

/// Returns whether a request with a safe method changes nothing. In a REST service the method decides.
fn only_reads(head: &Head, request: &Request) -> bool {
    match head.protocol {
        Protocol::RestJson | Protocol::S3 => true,
        Protocol::AwsJson | Protocol::AwsCbor => head.operation().is_none_or(|operation| operation.is_read_only),
        // With another method, the form would be in the body.
        Protocol::Query(_) => {
            let query = request.uri().query().unwrap_or_default();
            let mut actions = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "Action");
            let changes =
                |action: &str, service| services::find(service, action).is_ok_and(|operation| !operation.is_read_only);
            // Checks every `Action`, because parsers differ in which of two they use.
            request.method() == http::Method::GET
                && !actions.any(|(_, action)| {
                    [ServiceName::Iam, ServiceName::Sts].iter().any(|service| changes(&action, *service))
                })
        }
    }
}

/// Returns whether the user agent is a browser's. Every browser has identified itself as Mozilla since the first, and a
/// page cannot change that. This is checked only for old browsers, which send neither fetch metadata nor, with forms,
/// an `Origin`.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
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

/// Returns whether a `Host` is this endpoint. Names below `.localhost` are loopback (RFC 6761), in browsers and
/// resolvers too. A listener on all addresses does not know them, so any IP address is accepted. A host name is not,
/// because it could be made to resolve to the endpoint.
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
    fn only_loopback_names_are_accepted_as_hosts() {
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
    fn the_address_of_the_listener_is_accepted_as_a_host() {
        let host = |host, bound: &str| {
            browser_sign(&headers(&[("host", host)]), &Uri::default(), bound.parse().unwrap()).is_none()
        };
        assert!(host("192.168.1.2:4566", "192.168.1.2") && host("localhost", "192.168.1.2"));
        assert!(!host("192.168.1.3:4566", "192.168.1.2"));
        assert!(host("192.168.1.3:4566", "0.0.0.0") && host("[fe80::1]:4566", "::"));
        assert!(!host("evil.example:4566", "0.0.0.0"));
    }

    #[test]
    fn requests_of_web_pages_are_rejected() {
        let local = ("host", "127.0.0.1");
        assert!(browser_sign(&headers(&[local, ("origin", "http://127.0.0.1")]), &Uri::default(), LOOPBACK).is_some());
        assert!(
            browser_sign(&headers(&[local, ("sec-fetch-site", "cross-site")]), &Uri::default(), LOOPBACK).is_some()
        );
        assert!(browser_sign(&headers(&[local, ("sec-fetch-site", "none")]), &Uri::default(), LOOPBACK).is_none());
    }
}
