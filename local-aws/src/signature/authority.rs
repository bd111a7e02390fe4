//! Over HTTP/2, which it prefers for Kinesis, AWS's SDK for JavaScript signs the pseudo-header `:authority` in place of
//! `host` (`@aws-sdk/middleware-host-header`), and AWS takes it. `aws-sigv4` has header names of HTTP/1 only and signs
//! `host` always, so that this one canonical form is made here.

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::Request;
use sha2::{Digest, Sha256};

use super::claim::{Claim, basic_format};
use crate::credentials::Credentials;
use crate::signature::hex;

/// The signature that the credentials give the request; none for what is not awsJson, which is always a post to the root.
pub(super) fn signature<B>(
    claim: &Claim,
    request: &Request<B>,
    sha256: &str,
    credentials: &Credentials,
) -> Option<String> {
    let uri = request.uri();
    if uri.path() != "/" || uri.query().is_some() {
        return None;
    }
    let mut names = ":authority".to_owned();
    let mut headers = format!(":authority:{}\n", uri.authority()?);
    for name in &claim.signed_headers {
        let values = request.headers().get_all(name).iter().map(|value| value.to_str());
        let values = values.collect::<Result<Vec<_>, _>>().ok()?.join(",");
        let value = values.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        names += &format!(";{name}");
        headers += &format!("{name}:{value}\n");
    }
    let canonical = format!("{}\n/\n\n{headers}\n{names}\n{sha256}", request.method());
    let Claim { day, region, service, .. } = claim;
    let canonical = hex(&Sha256::digest(canonical));
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{}\n{day}/{region}/{service}/aws4_request\n{canonical}", basic_format(claim.time));
    let key = generate_signing_key(&credentials.secret_access_key, claim.time.try_into().ok()?, region, service);
    Some(calculate_signature(key, to_sign.as_bytes()))
}
