//! The lower bound: reads each event and writes as many bytes as the logger (`FLOOR_BYTES`), without processing them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let address = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let bytes: usize = std::env::var("FLOOR_BYTES").map_err(io::Error::other)?.parse().map_err(io::Error::other)?;
    let log = vec![b'\n'; 64 * 1024];
    let mut api = BufReader::with_capacity(64 * 1024, TcpStream::connect(&address)?);
    api.get_ref().set_nodelay(true)?;
    let mut event = Vec::new();
    let mut stdout = std::fs::File::from(std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?);
    loop {
        let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
        api.get_mut().write_all(next.as_bytes())?;
        let (id, length) = head(&mut api)?;
        event.resize(length, 0);
        api.read_exact(&mut event)?;
        let mut left = bytes;
        while left > 0 {
            left -= stdout.write(&log[..left.min(log.len())])?;
        }
        let response = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {address}\r\nContent-Length: 4\r\n\r\nnull"
        );
        api.get_mut().write_all(response.as_bytes())?;
        let (_, length) = head(&mut api)?;
        io::copy(&mut (&mut api).take(length as u64), &mut io::sink())?;
    }
}

/// Returns the request id and the length of the body.
fn head(api: &mut impl BufRead) -> io::Result<(String, usize)> {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        api.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            Some((name, value)) if name.eq_ignore_ascii_case("lambda-runtime-aws-request-id") => {
                id = value.trim().to_owned();
            }
            None if line.trim_end().is_empty() => return Ok((id, length)),
            _ => {}
        }
    }
}
