//! The resources of a function's process, and their limits.

use std::os::fd::AsFd;

use super::*;

/// The value of `Max Memory Used` of an invocation.
fn max_memory_used(invoked: &ApiResponse) -> u64 {
    let tail = invoked.log_tail();
    tail.split("Max Memory Used: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_function_that_exceeds_its_memory_is_killed() {
    let bench = Bench::new();
    let source = "import time\ndef handler(event, context):\n    held = bytearray(event << 20)\n    for page in range(0, len(held), 4096): held[page] = 1\n    if event > 100: time.sleep(1000)\n    return len(held)\n";
    bench.create_python(source, json!({ "Timeout": 60, "MemorySize": 192 })).await;
    assert_eq!(bench.invoke(json!(64)).await.body, 64 << 20);
    let killed = bench.invoke(json!(1024)).await;
    let id = killed.header("x-amzn-requestid").unwrap();
    let message = format!("RequestId: {id} Error: Runtime exited with error: signal: killed");
    assert_eq!(killed.body, json!({ "errorType": "Runtime.ExitError", "errorMessage": message }));
    assert_eq!(max_memory_used(&killed), 192);
    assert_eq!(bench.invoke(json!(1)).await.body, 1 << 20);
}

#[tokio::test]
async fn the_memory_of_child_processes_counts_and_shared_pages_count_once() {
    let bench = Bench::new();
    let source = "import os, subprocess, sys, time
def handler(event, context):
    if event == 'shared':
        held = bytearray(100 << 20)
        for page in range(0, len(held), 4096): held[page] = 1
        if os.fork() == 0:
            time.sleep(1000)
        time.sleep(0.3)
        return 'alive'
    take = 'import time; held = bytearray(300 << 20)\\nfor page in range(0, len(held), 4096): held[page] = 1\\ntime.sleep(1000)'
    subprocess.run([sys.executable, '-c', take])
";
    bench.create_python(source, json!({ "Timeout": 60, "MemorySize": 192 })).await;
    let shared = bench.invoke(json!("shared")).await;
    assert_eq!(shared.body, "alive", "{}", shared.log_tail());
    assert!((100..192).contains(&max_memory_used(&shared)), "{}", shared.log_tail());
    let killed = bench.invoke(json!("child")).await;
    assert_eq!(killed.body["errorType"], "Runtime.ExitError", "{killed:?}");
    assert_eq!(max_memory_used(&killed), 192);
}

#[tokio::test]
async fn used_memory_is_reported_even_for_a_process_that_died() {
    let bench = Bench::new();
    let source =
        "import os, time\ndef handler(event, context):\n    if event == 'exit': os._exit(1)\n    time.sleep(1000)\n";
    bench.create_python(source, json!({ "Timeout": 1 })).await;
    for event in ["exit", "hang"] {
        let ended = bench.invoke(json!(event)).await;
        assert!(max_memory_used(&ended) > 0, "{}", ended.log_tail());
    }
}

#[tokio::test]
async fn a_process_has_lambdas_limits_and_none_of_the_endpoints_descriptors() {
    // The program that started the endpoint may have left a descriptor open.
    let (read, _write) = std::io::pipe().unwrap();
    let left_open = rustix::io::dup(read.as_fd()).unwrap();
    let source = "import os, resource\ndef handler(event, context):\n    files = {}\n    for number in os.listdir('/proc/self/fd'):\n        try: files[number] = os.readlink('/proc/self/fd/' + number)\n        except OSError: pass\n    return {'core': resource.getrlimit(resource.RLIMIT_CORE), 'files': resource.getrlimit(resource.RLIMIT_NOFILE), 'open': files}\n";
    let bench = Bench::new();
    bench.create_python(source, json!({})).await;
    let found = bench.invoke(json!({})).await.body;
    assert_eq!((&found["core"], &found["files"]), (&json!([0, 0]), &json!([1024, 1024])));
    let number = std::os::fd::AsRawFd::as_raw_fd(&left_open);
    let ours = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
    let open = found["open"].as_object().unwrap();
    assert!(open.values().all(|file| file.as_str() != ours.to_str()), "{open:?}");
    assert_eq!(open["0"], "/dev/null");
}
