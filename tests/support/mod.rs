//! What the tests share: floe as a process of its own, a client, the services, and programs run beside them.
//!
//! Each test binary uses a part of it.
#![allow(dead_code)]

pub mod client;
pub mod floe;
pub mod proxy;
pub mod services;
pub mod shop;

#[allow(unused_imports)]
pub use client::{Sql, SqlError};
pub use floe::Floe;

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A port that nobody has at this moment, each time another one. It is none of those that the system gives to clients: a
/// server that is killed and started again finds its port free.
pub fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 8_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}

/// Shown while the test runs: the test harness holds back only what goes through `print!`.
pub fn progress(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "    {text}");
}

/// Asks until the answer is yes.
///
/// # Panics
/// When it is not within `limit`, with the last answer.
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<(), String>) {
    let begin = Instant::now();
    loop {
        match ask() {
            Ok(()) => return,
            Err(last) if begin.elapsed() > limit => panic!("{what}: not after {limit:?}; at last: {last}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"))
}

/// Its standard output.
///
/// # Panics
/// When it fails, with everything it said.
#[track_caller]
pub fn run_ok(command: &mut Command) -> String {
    let output = run(command);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{out}\n{err}", output.status);
    out.into_owned()
}
