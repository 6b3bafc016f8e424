//! floe as users run it: the binary, in a process that can be killed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Sql, SqlError};
use super::free_port;

pub struct Floe {
    process: Child,
    pub port: u16,
    pub http: u16,
    pub data: PathBuf,
    log: PathBuf,
    /// What it is started with again.
    flags: Vec<String>,
    /// Removed with the last of those who use it.
    _folder: Option<TempDir>,
}

/// How floe is started.
#[derive(Clone, Copy, Default)]
pub struct Launch<'a> {
    pub flags: &'a [&'a str],
    pub environment: &'a [(&'a str, &'a str)],
    /// A program that runs floe, with its arguments: `strace -f`.
    pub under: &'a [String],
}

/// How a start went wrong: the exit status, and what floe said.
#[derive(Debug)]
pub struct Failed {
    pub status: Option<ExitStatus>,
    pub log: String,
}

/// A start that nobody waits for; it says nothing.
pub fn spawn_bare(data: &Path, port: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_floe"))
        .args(["serve", "--http", "off", "--listen", &format!("127.0.0.1:{port}")])
        .args(["--data".as_ref(), data.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("floe starts")
}

impl Floe {
    /// A new, empty floe in a folder of its own.
    #[track_caller]
    pub fn fresh() -> Floe {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut floe = Floe::on(&folder.path().join("data"));
        floe._folder = Some(folder);
        floe
    }

    /// On a data folder that outlives this process.
    #[track_caller]
    pub fn on(data: &Path) -> Floe {
        match Floe::try_on(data, free_port(), &[]) {
            Ok(floe) => floe,
            Err(failed) => panic!("floe does not start: {:?}\n{}", failed.status, failed.log),
        }
    }

    pub fn try_on(data: &Path, port: u16, more: &[&str]) -> Result<Floe, Failed> {
        Floe::launch(data, port, Launch { flags: more, ..Launch::default() })
    }

    pub fn launch(data: &Path, port: u16, launch: Launch) -> Result<Floe, Failed> {
        let http = free_port();
        let log = data.with_extension(format!("{port}.log"));
        std::fs::create_dir_all(data.parent().unwrap_or(data)).expect("a folder for the log");
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        let mut command = match launch.under {
            [] => Command::new(env!("CARGO_BIN_EXE_floe")),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(env!("CARGO_BIN_EXE_floe"));
                command
            }
        };
        let process = command
            .arg("serve")
            .args(["--data".as_ref(), data.as_os_str()])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--http", &format!("127.0.0.1:{http}")])
            .args(launch.flags)
            .envs(launch.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out)
            .spawn()
            .expect("floe starts");
        let flags = launch.flags.iter().map(|flag| flag.to_string()).collect();
        let mut floe = Floe { process, port, http, data: data.into(), log, flags, _folder: None };
        let begin = Instant::now();
        loop {
            if let Some(status) = floe.process.try_wait().expect("a child can be waited for") {
                return Err(Failed { status: Some(status), log: floe.log() });
            }
            if floe.get("/readyz").is_some_and(|(status, _)| status == 200) {
                return Ok(floe);
            }
            if begin.elapsed() > Duration::from_secs(60) {
                return Err(Failed { status: None, log: floe.log() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn address(&self) -> String {
        format!("host=127.0.0.1 port={} user=floe dbname=floe", self.port)
    }

    #[track_caller]
    pub fn sql(&self) -> Sql {
        match self.try_sql() {
            Ok(sql) => sql,
            Err(e) => panic!("cannot connect: {e}\n{}", self.log()),
        }
    }

    pub fn try_sql(&self) -> Result<Sql, SqlError> {
        Sql::connect(&self.address())
    }

    /// Status and body of an HTTP request; `None` when nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: floe\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split_whitespace().nth(1)?.parse().ok()?, body.into()))
    }

    /// SIGKILL: no chance to write anything.
    pub fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it can be waited for");
    }

    /// SIGTERM; how it ended, and after how long.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        super::run_ok(Command::new("kill").args(["-TERM", &self.process.id().to_string()]));
        (self.process.wait().expect("it can be waited for"), begin.elapsed())
    }

    /// The process: floe's own, or that of the program which runs it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has ended by itself; how it did, if it has within the limit.
    pub fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if begin.elapsed() > limit => return None,
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    pub fn running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Kills this one and starts another on the same data and ports.
    #[track_caller]
    pub fn crash(&mut self) {
        self.kill();
        self.restart();
    }

    #[track_caller]
    pub fn restart(&mut self) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let next = match Floe::try_on(&self.data, self.port, &flags) {
            Ok(next) => next,
            Err(failed) => panic!("floe does not come back: {:?}\n{}", failed.status, failed.log),
        };
        let folder = self._folder.take();
        *self = next;
        self._folder = folder;
    }

    pub fn psql(&self, arguments: &[&str]) -> std::process::Output {
        super::run(
            Command::new("psql")
                .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "floe", "-d", "floe", "-X"])
                .args(arguments)
                .env("PGCONNECT_TIMEOUT", "10")
                .stdin(Stdio::null()),
        )
    }
}

impl Drop for Floe {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- the end of floe's log\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}
