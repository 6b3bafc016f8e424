//! A proxy before an HTTP server that loses answers on purpose: the request arrives and acts, its answer does not come back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The server acts and answers, the client's connection is closed without an answer.
    LoseAnswer,
    /// The server acts, the client is told 500.
    AnswerServerError,
    /// The request never reaches the server, the client's connection is closed.
    LoseRequest,
}

#[derive(Debug, Default)]
struct State {
    /// What happens to the next requests that match.
    armed: Vec<Fault>,
    /// The faults that happened, with the status that the server gave.
    done: Vec<(Fault, Option<u16>)>,
    /// How many matching requests the server answered with 200.
    landed: usize,
}

#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Forwards to `upstream`; requests whose first line `matches` are the ones that faults happen to.
    pub fn before(upstream: &str, matches: fn(&str) -> bool) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, state) = (upstream.clone(), shared.clone());
                std::thread::spawn(move || serve(client, &upstream, matches, &state));
            }
        });
        Proxy { url, state }
    }

    pub fn arm(&self, faults: &[Fault]) {
        self.state.lock().expect("the proxy's state").armed.extend(faults);
    }

    pub fn done(&self) -> Vec<(Fault, Option<u16>)> {
        self.state.lock().expect("the proxy's state").done.clone()
    }

    pub fn landed(&self) -> usize {
        self.state.lock().expect("the proxy's state").landed
    }
}

/// One request a connection: the answer says so to the client.
fn serve(client: TcpStream, upstream: &str, matches: fn(&str) -> bool, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut first, mut length) = (String::new(), String::new(), 0usize);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_lowercase();
        if first.is_empty() {
            first = line.clone();
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        } else if lower.starts_with("connection:") {
            continue;
        } else if line.trim().is_empty() {
            head.push_str("Connection: close\r\n\r\n");
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;

    let hit = matches(&first);
    let fault = if hit {
        let mut state = state.lock().ok()?;
        if state.armed.is_empty() { None } else { Some(state.armed.remove(0)) }
    } else {
        None
    };
    if fault == Some(Fault::LoseRequest) {
        state.lock().ok()?.done.push((Fault::LoseRequest, None));
        return None;
    }
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let status: Option<u16> =
        String::from_utf8_lossy(&answer[..answer.len().min(32)]).split_whitespace().nth(1).and_then(|s| s.parse().ok());
    if hit && status == Some(200) {
        state.lock().ok()?.landed += 1;
    }
    let mut client = client;
    match fault {
        Some(fault) => {
            state.lock().ok()?.done.push((fault, status));
            if fault == Fault::AnswerServerError {
                let text = r#"{"error":{"message":"lost on purpose","type":"InternalServerError","code":500}}"#;
                let length = text.len();
                write!(client, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}").ok()?;
            }
        }
        None => client.write_all(&answer).ok()?,
    }
    Some(())
}
