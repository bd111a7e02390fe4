//! Reports to Lambda why the function cannot start, so that the invoker gets the reason and not only an exit status.
//!
//! `POST /runtime/init/error`: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror>.
//! `lambda_runtime` does not support this call. It is made at most once, before the runtime starts, so a plain socket is
//! enough.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::json;

/// The time limit for the answer of the Runtime API, which is on this host.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Posts the error to the Runtime API at `address` (`HOST:PORT`, as in `AWS_LAMBDA_RUNTIME_API`).
///
/// # Errors
/// Returns an error if the API cannot be reached or does not answer in time. The content of its answer is ignored.
pub fn report(address: &str, error_type: &str, message: &str) -> io::Result<()> {
    let body = json!({"errorType": error_type, "errorMessage": message, "stackTrace": []}).to_string();
    let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {error_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    // The first byte of the answer proves that the request was read completely.
    stream.read_exact(&mut [0])
}
