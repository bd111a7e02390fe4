//! Verifies Signature Version 4. The canonical form is that of the crate `aws-sigv4`: the request is signed again with
//! the parameters that the client declared, and the two signatures are compared.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod authority;
mod claim;
mod error;

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, Request, header};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::credentials::Credentials;
pub use claim::Claim;
use claim::{Location, basic_format};
pub use error::SignatureError;

const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The time before and after its date in which a signature is valid, in AWS and in S3.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
const S3_TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

impl Claim {
    /// Checks everything that can be checked before the body is read.
    ///
    /// # Errors
    /// The key, its token, the scope or the time is wrong, or an `x-amz-` header is not signed.
    pub fn check(&self, headers: &HeaderMap, credentials: &Credentials, now: Timestamp) -> Result<(), SignatureError> {
        let is_key = self.access_key_id.as_bytes().ct_eq(credentials.access_key_id.as_bytes());
        if !bool::from(is_key) {
            return Err(SignatureError::UnknownKey);
        }
        let expected = credentials.session_token.as_deref().unwrap_or_default();
        let token = self.security_token.as_deref().unwrap_or_default();
        if !bool::from(token.as_bytes().ct_eq(expected.as_bytes())) {
            return Err(SignatureError::UnknownToken);
        }
        let (time, scope_day) = (basic_format(self.time), &self.day);
        if time.get(..8) != Some(scope_day) {
            return Err(SignatureError::OtherDay { scope_day: scope_day.clone(), time });
        }
        if !self.signs_authority && !self.signed_headers.contains(&header::HOST) {
            return Err(SignatureError::HostNotSigned);
        }
        // An unsigned header could have been added or changed on the way.
        let is_unsigned =
            |name: &&HeaderName| name.as_str().starts_with("x-amz-") && !self.signed_headers.contains(name);
        if let Some(name) = headers.keys().find(is_unsigned) {
            return Err(SignatureError::HeaderNotSigned(name.clone()));
        }
        self.check_time(now)
    }

    fn check_time(&self, now: Timestamp) -> Result<(), SignatureError> {
        let tolerance = if self.is_of_s3() { S3_TOLERANCE } else { TOLERANCE };
        let minutes = tolerance.as_mins();
        let (claimed, now_text) = (basic_format(self.time), basic_format(now));
        if self.time > now + tolerance {
            let latest = basic_format(now + tolerance);
            return Err(SignatureError::NotYet { claimed, latest, now: now_text, minutes });
        }
        match self.location {
            Location::Headers if self.time < now - tolerance => {
                let earliest = basic_format(now - tolerance);
                Err(SignatureError::Expired { claimed, earliest, now: now_text, minutes })
            }
            Location::Query { expires } if self.time + expires < now => {
                Err(SignatureError::PresignedExpired { end: basic_format(self.time + expires), now: now_text })
            }
            _ => Ok(()),
        }
    }

    /// Compares the request's signature with the one that these credentials give. `sha256` is the body's hash in hex.
    ///
    /// # Errors
    /// The signature or the body's hash differs.
    pub fn verify<B>(
        &self,
        request: &Request<B>,
        sha256: String,
        credentials: &Credentials,
    ) -> Result<(), SignatureError> {
        let signature = if self.signs_authority {
            authority::signature(self, request, &sha256, credentials)
        } else {
            let signed = self.signed_again(request, self.payload(request, sha256)?, credentials);
            signed.map(|(_, signature)| signature)
        };
        match signature {
            Some(signature) if bool::from(signature.as_bytes().ct_eq(self.signature.as_bytes())) => Ok(()),
            _ => Err(SignatureError::Mismatch),
        }
    }

    /// The payload that the client signed. Only S3 allows it to leave out the body, and reports a wrong header.
    fn payload<B>(&self, request: &Request<B>, sha256: String) -> Result<SignableBody<'static>, SignatureError> {
        let stated = request.headers().get("x-amz-content-sha256").map(|value| value.as_bytes());
        if self.is_of_s3() {
            match stated {
                Some(stated) if stated == UNSIGNED_PAYLOAD.as_bytes() => return Ok(SignableBody::UnsignedPayload),
                None if matches!(self.location, Location::Query { .. }) => return Ok(SignableBody::UnsignedPayload),
                Some(stated) if stated != sha256.as_bytes() => return Err(SignatureError::OtherBody),
                _ => {}
            }
        }
        Ok(SignableBody::Precomputed(sha256))
    }

    /// Signs the request again. Returns `None` if it cannot have been signed, for example because a header is not text.
    fn signed_again<B>(
        &self,
        request: &Request<B>,
        payload: SignableBody<'_>,
        credentials: &Credentials,
    ) -> Option<(SigningInstructions, String)> {
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        let mut headers = Vec::new();
        for name in &self.signed_headers {
            for value in request.headers().get_all(name) {
                headers.push((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?));
            }
            // HTTP/2 has the authority in the URI instead.
            if name == header::HOST && !request.headers().contains_key(name) {
                headers.push((name.as_str(), authority?));
            }
        }
        let identity = SigningCredentials::new(
            &credentials.access_key_id,
            &credentials.secret_access_key,
            None,
            None,
            "local endpoint",
        );
        let identity = identity.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(SystemTime::try_from(self.time).ok()?)
            .settings(self.settings())
            .build()
            .ok()?;
        let uri = format!("http://localhost{}", self.location.unsigned(request.uri()));
        let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), payload).ok()?;
        Some(sign(signable, &params.into()).ok()?.into_parts())
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        // The client declares the signed headers. If it signed `Date`, `aws-sigv4` adds a date of its own.
        let date = HeaderName::from_static("x-amz-date");
        let adds_date = !self.signed_headers.contains(&date);
        settings.excluded_headers = adds_date.then(|| vec![date.as_str().to_owned().into()]);
        if self.is_of_s3() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if let Location::Query { expires } = self.location {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(expires.unsigned_abs());
        }
        settings
    }
}

/// Presigns a URL for `path` in S3's form. It works without credentials until it expires.
pub fn presigned(config: &Config, path: &str, expires: SignedDuration) -> String {
    let Config { address, region, credentials, .. } = config;
    let now = Timestamp::now();
    let claim = Claim {
        access_key_id: credentials.access_key_id.clone(),
        day: String::new(),
        region: region.clone(),
        service: "s3".into(),
        signed_headers: vec![header::HOST],
        signs_authority: false,
        signature: String::new(),
        time: now,
        location: Location::Query { expires },
        security_token: None,
    };
    let token = credentials.session_token.as_deref().map(|token| format!("?X-Amz-Security-Token={}", encoded(token)));
    let url = format!("http://{address}{path}{}", token.unwrap_or_default());
    let request = Request::get(&url).header(header::HOST, address.to_string()).body(());
    let signed =
        request.ok().and_then(|request| claim.signed_again(&request, SignableBody::UnsignedPayload, credentials));
    let (instructions, _) = signed.expect("an address and a function's name make a URL");
    let parameters = instructions.params().iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{}", parameters.collect::<Vec<_>>().join("&"))
}

/// Formats bytes as lowercase hex, as signatures require.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(value: &str) -> impl std::fmt::Display {
    utf8_percent_encode(value, NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests;
