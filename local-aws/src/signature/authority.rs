//! Over HTTP/2, which it prefers for Kinesis, AWS's SDK for JavaScript signs the pseudo-header `:authority` instead of
//! `host` (`@aws-sdk/middleware-host-header`), and AWS accepts it. `aws-sigv4` supports only HTTP/1 header names and
//! always signs `host`, so this canonical form is computed here.

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::Request;
use sha2::{Digest, Sha256};

use super::claim::{Claim, basic_format};
use crate::credentials::Credentials;
use crate::signature::hex;

/// Computes the signature of a JSON 1.1 request, which is always a POST to `/`. Returns `None` for other requests.
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
