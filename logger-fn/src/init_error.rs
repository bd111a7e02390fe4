//! Tells Lambda why the function cannot start, so that the invoker sees the reason and not only an exit status.
//!
//! `POST /runtime/init/error`: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror>.
//! `lambda_runtime` does not offer it, and it happens at most once, before the runtime starts: a plain socket does.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::json;

/// The Runtime API is on this host; if it does not answer within this time it never will.
const PATIENCE: Duration = Duration::from_secs(2);

/// Posts the error to the Runtime API at `address` (`HOST:PORT`, as in `AWS_LAMBDA_RUNTIME_API`).
///
/// # Errors
/// When the API cannot be reached or does not answer in time. What it answers makes no difference.
pub fn report(address: &str, error_type: &str, message: &str) -> io::Result<()> {
    let body = json!({"errorType": error_type, "errorMessage": message, "stackTrace": []}).to_string();
    let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {error_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    // The first byte of the answer means that the request was read whole.
    stream.read_exact(&mut [0])
}
