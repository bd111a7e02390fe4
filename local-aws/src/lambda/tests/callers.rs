//! Only a function's own processes can use its Runtime API.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Reads the response to `/next` until the connection is closed.
fn next_of(address: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(NEXT.as_bytes()).ok();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the connection stays open"),
        _ => answer,
    }
}

/// The process belongs to the same user as this test.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_the_function_did_not_start_is_rejected() {
    let bench = Bench::new();
    let source = "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n";
    bench.create_python(source, json!({})).await;
    let address = bench.invoke(json!({})).await.body.as_str().unwrap().to_owned();
    for _ in 0..3 {
        let address = address.clone();
        let answer = tokio::task::spawn_blocking(move || next_of(&address)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    assert_eq!(bench.invoke(json!({})).await.body, json!(address));
}

/// The child is in the function's process group, in its own session, or has its own environment.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_the_function_can_call_its_runtime_api() {
    for child in ["pass", "os.setsid()", "os.execve(sys.executable, [sys.executable, __file__], {**own, 'CHILD': '1'})"]
    {
        let bench = Bench::new();
        let source = format!(
            r"
own = {{'AWS_LAMBDA_RUNTIME_API': os.environ['AWS_LAMBDA_RUNTIME_API']}}
if 'CHILD' not in os.environ and os.fork() == 0:
    {child}
elif 'CHILD' not in os.environ:
    os.wait()
while True:
    _, headers, _ = call('GET', '/invocation/next')
    answer(headers['Lambda-Runtime-Aws-Request-Id'], json.dumps('from a child').encode())
"
        );
        bench.create_provided(&source, json!({ "Timeout": 20 })).await;
        assert_eq!(bench.invoke(json!({})).await.body, json!("from a child"), "{child}");
    }
}

/// Otherwise the second request could receive an invocation that no process works on.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_next_of_a_waiting_process_is_rejected() {
    let bench = Bench::new();
    let source = r"
import threading
_, headers, _ = call('GET', '/invocation/next')
answer(headers['Lambda-Runtime-Aws-Request-Id'], b'null')
def wait():
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request('GET', '/2018-06-01/runtime/invocation/next')
    response = connection.getresponse()
    body = response.read()
    if response.status == 200:
        path = '/2018-06-01/runtime/invocation/' + response.headers['Lambda-Runtime-Aws-Request-Id'] + '/response'
        connection.request('POST', path, json.dumps('of the first').encode())
        connection.getresponse().read()
    else:
        print(response.status, json.loads(body)['errorType'], flush=True)
threads = [threading.Thread(target=wait) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    bench.create_provided(source, json!({ "Timeout": 20 })).await;
    assert_eq!(bench.invoke(json!({})).await.body, Value::Null);
    let refused = || bench.printed().contains(&"403 InvalidStateTransition".to_owned());
    eventually("the second is rejected while the first waits", async || refused().then_some(())).await;
    assert_eq!(bench.invoke(json!({})).await.body, json!("of the first"));
}

/// A process that closes its connection while it waits may send the request again on another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_next_can_be_repeated_on_another_connection() {
    let bench = Bench::new();
    let source = r"
import socket
host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
_, headers, _ = call('GET', '/invocation/next')
answer(headers['Lambda-Runtime-Aws-Request-Id'], b'null')
for _ in range(20):
    ended = socket.create_connection((host, int(port)))
    ended.sendall(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: localhost\r\n\r\n')
    ended.close()
print('asks again', flush=True)
status, headers, body = call('GET', '/invocation/next')
answer(headers['Lambda-Runtime-Aws-Request-Id'], json.dumps(status).encode())
call('GET', '/invocation/next')
";
    bench.create_provided(source, json!({ "Timeout": 20 })).await;
    assert_eq!(bench.invoke(json!({})).await.body, Value::Null);
    let asks = || bench.printed().contains(&"asks again".to_owned());
    eventually("the process asks again", async || asks().then_some(())).await;
    assert_eq!(bench.invoke(json!({})).await.body, json!(200));
}
