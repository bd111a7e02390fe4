//! The declared signature of a request, in the header `Authorization` or, if it is presigned, in its query.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Uri, header};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::SignatureError;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The longest validity of a presigned request, in seconds.
const MAX_VALIDITY_SECONDS: i64 = 7 * 24 * 3600;

/// A signature and its declared parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub access_key_id: String,
    /// The scope's day, `YYYYMMDD`.
    pub day: String,
    pub region: String,
    /// The service's signing name: `kinesis`, `lambda`, `logs`, `iam`, `sts`, `s3`.
    pub service: String,
    pub(super) signed_headers: Vec<HeaderName>,
    /// Whether HTTP/2's `:authority` is signed instead of `host`, before the headers.
    pub(super) signs_authority: bool,
    /// In lowercase hex.
    pub(super) signature: String,
    pub(super) time: Timestamp,
    pub(super) location: Location,
    pub(super) security_token: Option<String>,
}

/// The location of the signature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Location {
    Headers,
    Query { expires: SignedDuration },
}

impl Location {
    /// The path and query that were signed. The signature of a presigned request does not cover the parameters that
    /// `aws-sigv4` adds itself.
    pub(super) fn unsigned(self, uri: &Uri) -> Cow<'_, str> {
        const ADDED: [&str; 6] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
        ];
        match (self, uri.query()) {
            (Self::Query { .. }, Some(query)) => {
                let name = |part: &str| part.split('=').next().unwrap_or_default().to_owned();
                let signed: Vec<_> = query.split('&').filter(|part| !ADDED.contains(&name(part).as_str())).collect();
                let separator = if signed.is_empty() { "" } else { "?" };
                format!("{}{separator}{}", uri.path(), signed.join("&")).into()
            }
            (_, Some(query)) => format!("{}?{query}", uri.path()).into(),
            (_, None) => uri.path().into(),
        }
    }
}

impl Claim {
    /// Parses the claim.
    ///
    /// # Errors
    /// There is none, or it is incomplete.
    pub fn of(headers: &HeaderMap, uri: &Uri) -> Result<Self, SignatureError> {
        let query = uri.query().unwrap_or_default();
        let is_presigned = parameter(query, "X-Amz-Algorithm").is_some();
        match headers.get(header::AUTHORIZATION) {
            Some(_) if is_presigned => Err(SignatureError::Twice),
            Some(value) => Self::from_header(&String::from_utf8_lossy(value.as_bytes()), headers),
            None if is_presigned => Self::from_query(query),
            None => Err(SignatureError::Missing),
        }
    }

    pub fn is_of_s3(&self) -> bool {
        self.service == "s3"
    }

    fn from_header(value: &str, headers: &HeaderMap) -> Result<Self, SignatureError> {
        let (algorithm, parameters) = value.split_once(' ').unwrap_or((value, ""));
        let parameter = |name: &str| {
            let found = parameters.split([',', ' ']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.filter(|value| !value.is_empty())
        };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = header("x-amz-date").or_else(|| header("date"));
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (parameter("Credential"), parameter("Signature"), parameter("SignedHeaders"), date)
        else {
            let mut lacks: String = ["Credential", "Signature", "SignedHeaders"]
                .into_iter()
                .filter(|name| parameter(name).is_none())
                .map(|name| format!("Authorization header requires '{name}' parameter. "))
                .collect();
            if date.is_none() {
                lacks += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
            }
            // The value can be used as a secret until it expires, so the message does not contain its parameters.
            return Err(SignatureError::Incomplete(format!("{lacks}Authorization={algorithm}")));
        };
        check_algorithm(algorithm)?;
        let after_authority = signed_headers.strip_prefix(":authority;");
        let claim = Self {
            signed_headers: names(after_authority.unwrap_or(signed_headers))?,
            signs_authority: after_authority.is_some(),
            signature: signature.to_owned(),
            time: read_time(date)?,
            location: Location::Headers,
            security_token: header("x-amz-security-token").map(str::to_owned),
            ..Self::scope(credential)?
        };
        Ok(claim)
    }

    fn from_query(query: &str) -> Result<Self, SignatureError> {
        let required = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
            "X-Amz-Expires",
        ];
        let values = required.map(|name| parameter(query, name).unwrap_or_default());
        let lacks: String = required
            .iter()
            .zip(&values)
            .filter(|(_, value)| value.is_empty())
            .map(|(name, _)| format!("AWS query-string parameters must include '{name}'. "))
            .collect();
        if !lacks.is_empty() {
            return Err(SignatureError::Incomplete(format!("{lacks}Re-examine the query-string parameters.")));
        }
        let [algorithm, credential, signature, signed_headers, date, expires] = values;
        check_algorithm(&algorithm)?;
        let expires = expires.parse().ok().filter(|seconds| (0..=MAX_VALIDITY_SECONDS).contains(seconds));
        let expires = expires.ok_or_else(|| {
            SignatureError::Incomplete(format!(
                "X-Amz-Expires must be a number of seconds from 0 to {MAX_VALIDITY_SECONDS}"
            ))
        })?;
        Ok(Self {
            signed_headers: names(&signed_headers)?,
            signature: signature.into_owned(),
            time: read_time(&date)?,
            location: Location::Query { expires: SignedDuration::from_secs(expires) },
            security_token: parameter(query, "X-Amz-Security-Token").map(Cow::into_owned),
            ..Self::scope(&credential)?
        })
    }

    /// Parses `KEY/20261123/us-east-1/kinesis/aws4_request`. The caller sets the other fields.
    fn scope(credential: &str) -> Result<Self, SignatureError> {
        let [access_key_id, day, region, service, terminator] = credential.split('/').collect::<Vec<_>>()[..] else {
            return Err(SignatureError::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        if terminator != "aws4_request" {
            return Err(SignatureError::Terminator(terminator.to_owned()));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: Vec::new(),
            signs_authority: false,
            signature: String::new(),
            time: Timestamp::UNIX_EPOCH,
            location: Location::Headers,
            security_token: None,
        })
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
}

fn check_algorithm(algorithm: &str) -> Result<(), SignatureError> {
    match algorithm {
        ALGORITHM => Ok(()),
        other => Err(SignatureError::Incomplete(format!("Unsupported AWS 'algorithm': '{other}'. "))),
    }
}

fn names(signed_headers: &str) -> Result<Vec<HeaderName>, SignatureError> {
    let names = signed_headers.split(';').map(|name| HeaderName::from_bytes(name.as_bytes()));
    names
        .collect::<Result<_, _>>()
        .map_err(|_| SignatureError::Incomplete(format!("'{signed_headers}' are not the names of headers")))
}

/// Parses `20261123T201500Z` or, from the header `Date`, HTTP's own format.
fn read_time(text: &str) -> Result<Timestamp, SignatureError> {
    let basic = DateTime::strptime("%Y%m%dT%H%M%SZ", text).and_then(|time| time.to_zoned_datetime(TimeZone::UTC));
    let time =
        basic.map(|time| time.timestamp()).or_else(|_| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text));
    // A time far from now has expired anyway. The range keeps later additions and subtractions from overflowing.
    let time = time.ok().filter(|time| (0..253_000_000_000).contains(&time.as_second()));
    time.ok_or_else(|| {
        SignatureError::Incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })
}

/// Formats a time as `20261123T201500Z`.
pub(super) fn basic_format(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
