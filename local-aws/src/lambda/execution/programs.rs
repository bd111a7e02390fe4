//! The programs that speak the Runtime API for a handler in an interpreted language. The first file of each is run.

pub const NODE: [(&str, &str); 4] = [
    ("bootstrap.mjs", include_str!("../runtimes/node/bootstrap.mjs")),
    ("handler.mjs", include_str!("../runtimes/node/handler.mjs")),
    ("invoke_store.mjs", include_str!("../runtimes/node/invoke_store.mjs")),
    ("log.mjs", include_str!("../runtimes/node/log.mjs")),
];

pub const PYTHON: [(&str, &str); 1] = [("bootstrap.py", include_str!("../runtimes/python/bootstrap.py"))];
