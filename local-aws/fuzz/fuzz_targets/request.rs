#![no_main]
//! Any path, query and headers are parsed or rejected, and no signature is accepted by chance.

use http::Request;
use libfuzzer_sys::fuzz_target;
use local_aws::Credentials;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut request = Request::builder().uri(lines.next().unwrap_or_default()).header("host", "x");
    for (name, value) in
        ["authorization", "x-amz-date", "x-amz-target", "content-type", "x-amz-security-token"].iter().zip(lines)
    {
        request = request.header(*name, value);
    }
    let Ok(request) = request.body(()) else { return };
    let credentials = Credentials {
        access_key_id: "k".into(),
        secret_access_key: "a secret nobody guesses".into(),
        session_token: None,
    };
    assert!(!local_aws::fuzzing::request(&request, &credentials));
});
