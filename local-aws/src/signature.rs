//! Signature Version 4, from the receiver's side: what a request claims, and whether that is so. The canonical form is
//! that of the crate `aws-sigv4`: the request is signed again as its client signed it, and the two signatures compared.
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
use claim::{Place, basic_format};
pub use error::SignatureError;

const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How long before and after its time a signature holds: AWS's own tolerance, and S3's.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
const TOLERANCE_OF_S3: SignedDuration = SignedDuration::from_mins(15);

impl Claim {
    /// Whether these credentials may sign this at all: everything that is known before the body.
    ///
    /// # Errors
    /// The key, its token, the scope or the time is not right, or a header of Amazon's is not signed.
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
        // What is not signed could have been added or changed on the way.
        let is_unsigned =
            |name: &&HeaderName| name.as_str().starts_with("x-amz-") && !self.signed_headers.contains(name);
        if let Some(name) = headers.keys().find(is_unsigned) {
            return Err(SignatureError::HeaderNotSigned(name.clone()));
        }
        self.check_time(now)
    }

    fn check_time(&self, now: Timestamp) -> Result<(), SignatureError> {
        let tolerance = if self.is_of_s3() { TOLERANCE_OF_S3 } else { TOLERANCE };
        let minutes = tolerance.as_mins();
        let (claimed, now_text) = (basic_format(self.time), basic_format(now));
        if self.time > now + tolerance {
            let latest = basic_format(now + tolerance);
            return Err(SignatureError::NotYet { claimed, latest, now: now_text, minutes });
        }
        match self.place {
            Place::Headers if self.time < now - tolerance => {
                let earliest = basic_format(now - tolerance);
                Err(SignatureError::Expired { claimed, earliest, now: now_text, minutes })
            }
            Place::Query { expires } if self.time + expires < now => {
                Err(SignatureError::PresignedExpired { end: basic_format(self.time + expires), now: now_text })
            }
            _ => Ok(()),
        }
    }

    /// Whether the request carries the signature that these credentials give it. `sha256` is that of its body, in hex.
    ///
    /// # Errors
    /// The signature or the body is another.
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

    /// What the client signed as the payload. Only S3 lets it leave the body out, and says when the header is wrong.
    fn payload<B>(&self, request: &Request<B>, sha256: String) -> Result<SignableBody<'static>, SignatureError> {
        let stated = request.headers().get("x-amz-content-sha256").map(|value| value.as_bytes());
        if self.is_of_s3() {
            match stated {
                Some(stated) if stated == UNSIGNED_PAYLOAD.as_bytes() => return Ok(SignableBody::UnsignedPayload),
                None if matches!(self.place, Place::Query { .. }) => return Ok(SignableBody::UnsignedPayload),
                Some(stated) if stated != sha256.as_bytes() => return Err(SignatureError::OtherBody),
                _ => {}
            }
        }
        Ok(SignableBody::Precomputed(sha256))
    }

    /// None for what cannot have been signed, such as a header that is no text.
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
        let uri = format!("http://localhost{}", self.place.unsigned(request.uri()));
        let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), payload).ok()?;
        Some(sign(signable, &params.into()).ok()?.into_parts())
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        // Headers are those that the client signed; `aws-sigv4` adds a date where the client signed `Date` instead.
        let date = HeaderName::from_static("x-amz-date");
        let adds_date = !self.signed_headers.contains(&date);
        settings.excluded_headers = adds_date.then(|| vec![date.as_str().to_owned().into()]);
        if self.is_of_s3() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if let Place::Query { expires } = self.place {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(expires.unsigned_abs());
        }
        settings
    }
}

/// An address of `path` that can be got without credentials until `expires` is over: S3's form.
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
        place: Place::Query { expires },
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

/// Lowercase, as signatures are of.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(value: &str) -> impl std::fmt::Display {
    utf8_percent_encode(value, NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests;
