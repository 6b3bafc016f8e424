//! Message by message: what a driver hides, and what no driver would send.

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Running, server};

struct Raw {
    stream: TcpStream,
}

impl Raw {
    async fn connect(server: &Running) -> Raw {
        let mut raw = Raw { stream: TcpStream::connect(server.address).await.expect("connected") };
        raw.startup(3 << 16).await;
        let answer = raw.until_ready().await;
        assert!(answer.starts_with("R S"), "{answer}");
        raw
    }

    async fn startup(&mut self, version: u32) {
        let body = b"user\0floe\0database\0floe\0\0";
        let mut message = BytesMut::new();
        message.put_u32(8 + body.len() as u32);
        message.put_u32(version);
        message.put_slice(body);
        self.stream.write_all(&message).await.expect("sent");
    }

    async fn send(&mut self, messages: &[(u8, &[u8])]) {
        let mut out = BytesMut::new();
        for (message_type, body) in messages {
            out.put_u8(*message_type);
            out.put_u32(4 + body.len() as u32);
            out.put_slice(body);
        }
        self.stream.write_all(&out).await.expect("sent");
    }

    async fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let message_type = self.stream.read_u8().await.ok()?;
        let length = self.stream.read_u32().await.ok()?;
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((message_type, body))
    }

    /// The types of the messages up to ReadyForQuery; errors with their code, the transaction's status last.
    async fn until_ready(&mut self) -> String {
        let mut seen = Vec::new();
        loop {
            let Some((message_type, body)) = self.message().await else {
                seen.push("end".to_string());
                return seen.join(" ");
            };
            seen.push(match message_type {
                b'E' => {
                    let fields: Vec<&[u8]> = body.split(|b| *b == 0).collect();
                    let code = fields.iter().find(|f| f.first() == Some(&b'C')).expect("a code");
                    format!("E:{}", String::from_utf8_lossy(&code[1..]))
                }
                b'C' => format!("C:{}", String::from_utf8_lossy(&body[..body.len() - 1])),
                b'D' => format!("D:{}", String::from_utf8_lossy(&body[6..])),
                b'Z' => {
                    seen.push(format!("Z:{}", char::from(body[0])));
                    return seen.join(" ");
                }
                other => char::from(other).to_string(),
            });
        }
    }

    async fn query(&mut self, text: &str) -> String {
        self.send(&[(b'Q', &[text.as_bytes(), b"\0"].concat())]).await;
        self.until_ready().await
    }
}

fn parse(name: &str, query: &str, types: &[u32]) -> Vec<u8> {
    let mut body = BytesMut::new();
    body.put_slice(&[name.as_bytes(), b"\0", query.as_bytes(), b"\0"].concat());
    body.put_u16(types.len() as u16);
    types.iter().for_each(|t| body.put_u32(*t));
    body.to_vec()
}

const BIND: &[u8] = b"\0\0\0\0\0\0\0\0";
const EXECUTE: &[u8] = b"\0\0\0\0\0";

#[tokio::test]
async fn requests_for_encryption_are_answered_in_any_order() {
    let server = server().await;
    let mut raw = Raw { stream: TcpStream::connect(server.address).await.expect("connected") };
    for code in [80_877_103u32, 80_877_104, 80_877_103] {
        raw.stream.write_all(&[&8u32.to_be_bytes()[..], &code.to_be_bytes()].concat()).await.expect("sent");
        assert_eq!(raw.stream.read_u8().await.expect("a byte"), b'N');
    }
    raw.startup(3 << 16 | 2).await;
    let answer = raw.until_ready().await;
    assert!(answer.starts_with("v R S") && answer.ends_with("K Z:I"), "{answer}");
}

#[tokio::test]
async fn the_status_follows_the_transaction() {
    let server = server().await;
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.query("").await, "I Z:I");
    assert_eq!(raw.query("SELECT 7 AS a").await, "T D:7 C:SELECT 1 Z:I");
    assert_eq!(raw.query("BEGIN").await, "C:BEGIN Z:T");
    assert_eq!(raw.query("SELECT 1/0").await, "T E:22012 Z:E");
    assert_eq!(raw.query("SELECT 1").await, "E:25P02 Z:E");
    assert_eq!(raw.query("COMMIT").await, "C:ROLLBACK Z:I");
    assert_eq!(raw.query("COMMIT").await, "N C:COMMIT Z:I");
    assert_eq!(raw.query("BEGIN; SELECT 1/0; SELECT 2").await, "C:BEGIN T E:22012 Z:E");
    assert_eq!(raw.query("ROLLBACK").await, "C:ROLLBACK Z:I");
    assert_eq!(raw.query("SELECT 1 AS a; SELECT 1/0; SELECT 2").await, "T D:1 C:SELECT 1 T E:22012 Z:I");
    assert_eq!(raw.query("SET timezone = 'Asia/Tokyo'").await, "C:SET S Z:I");
    assert_eq!(raw.query("DROP TABLE t").await, "N C:DROP TABLE Z:I");
    assert_eq!(raw.query("SELECT 'open").await, "E:42601 Z:I");
}

#[tokio::test]
async fn an_error_skips_to_sync() {
    let server = server().await;
    let mut raw = Raw::connect(&server).await;
    let bad = parse("", "SELECT nothing FROM nowhere", &[]);
    let good = parse("", "SELECT 1 AS a", &[]);
    raw.send(&[(b'P', &bad), (b'P', &good), (b'B', BIND), (b'E', EXECUTE), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:42P01 Z:I");
    raw.send(&[(b'P', &good), (b'B', BIND), (b'D', b"P\0"), (b'E', EXECUTE), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "1 2 T D:1 C:SELECT 1 Z:I");
    raw.send(&[(b'E', b"no\0\0\0\0\0"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:34000 Z:I");
    raw.send(&[(b'B', b"\0no\0\0\0\0\0\0\0"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:26000 Z:I");
    raw.send(&[(b'C', b"Sno\0"), (b'C', b"Pno\0"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "3 3 Z:I", "closing what is not there is no error");
}

#[tokio::test]
async fn named_statements_and_declared_types() {
    let server = server().await;
    let mut raw = Raw::connect(&server).await;
    let named = parse("s", "SELECT $1::bigint AS a", &[23]);
    raw.send(&[(b'P', &named), (b'D', b"Ss\0"), (b'S', b"")]).await;
    assert_eq!(raw.message().await.map(|m| m.0), Some(b'1'));
    let (message_type, body) = raw.message().await.expect("a message");
    assert_eq!((message_type, body.as_slice()), (b't', &b"\0\x01\0\0\0\x17"[..]), "the type that was declared");
    assert_eq!(raw.until_ready().await, "T Z:I");
    raw.send(&[(b'P', &named), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:42P05 Z:I");
    raw.send(&[(b'B', b"\0s\0\0\0\0\x01\0\0\0\x0242\0\0"), (b'E', EXECUTE), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "2 D:42 C:SELECT 1 Z:I");
    raw.send(&[(b'B', b"\0s\0\0\0\0\0\0\0"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:08P01 Z:I", "a parameter is missing");
    assert_eq!(raw.query("DEALLOCATE s").await, "C:DEALLOCATE Z:I", "one set of names for both protocols");
}

#[tokio::test]
async fn empty_statements_and_portions() {
    let server = server().await;
    let mut raw = Raw::connect(&server).await;
    let empty = parse("", "", &[]);
    raw.send(&[(b'P', &empty), (b'B', BIND), (b'D', b"P\0"), (b'E', EXECUTE), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "1 2 n I Z:I");
    assert_eq!(raw.query("BEGIN").await, "C:BEGIN Z:T");
    let flood = parse("", "SELECT n FROM flood", &[]);
    raw.send(&[(b'P', &flood), (b'B', b"c\0\0\0\0\0\0\0\0"), (b'E', b"c\0\0\0\0\x02"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "1 2 D:0 D:1 s Z:T");
    raw.send(&[(b'E', b"c\0\0\0\0\x01"), (b'H', b""), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "D:2 s Z:T", "it goes on behind a Sync inside of a transaction");
    assert_eq!(raw.query("COMMIT").await, "C:COMMIT Z:I");
    raw.send(&[(b'E', b"c\0\0\0\0\x01"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:34000 Z:I", "and ends with it");
}

#[tokio::test]
async fn copy_inside_a_transaction_keeps_the_status() {
    let server = server().await;
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.query("BEGIN").await, "C:BEGIN Z:T");
    raw.send(&[(b'Q', b"COPY t FROM STDIN\0"), (b'd', b"1\ta\n"), (b'c', b"")]).await;
    assert_eq!(raw.until_ready().await, "G C:COPY 1 Z:T");
    raw.send(&[(b'Q', b"COPY t TO STDOUT\0")]).await;
    assert_eq!(raw.until_ready().await, "H d c C:COPY 1 Z:T");
    raw.send(&[(b'Q', b"COPY t FROM STDIN\0"), (b'd', b"2\tb\n"), (b'f', b"enough\0")]).await;
    assert_eq!(raw.until_ready().await, "G E:57014 Z:E");
    raw.send(&[(b'd', b"3\tc\n"), (b'c', b"")]).await;
    assert_eq!(raw.query("ROLLBACK").await, "C:ROLLBACK Z:I", "data that comes late is ignored");
}

#[tokio::test]
async fn nonsense_ends_one_connection_only() {
    let server = server().await;
    for junk in
        [&b"\0\0\0\x03"[..], b"\xff\xff\xff\xff", b"\x16\x03\x01\x02\0\x01\0\x01", b"\0\0\0\x09\0\x03\0\0x", b"\0\0\0\x08\0\x02\0\0"]
    {
        let mut stream = TcpStream::connect(server.address).await.expect("connected");
        stream.write_all(junk).await.expect("sent");
        stream.shutdown().await.expect("no more");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    let mut raw = Raw::connect(&server).await;
    raw.send(&[(b'B', b"\0\0\xff\xff"), (b'S', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:08P01 Z:I", "a whole frame with a wrong body is only an error");
    raw.send(&[(b'Q', b"\xff\xfe\0")]).await;
    assert_eq!(raw.until_ready().await, "E:22021 Z:I");
    raw.send(&[(b'?', b"")]).await;
    assert_eq!(raw.until_ready().await, "E:08P01 end");
    assert_eq!(Raw::connect(&server).await.query("SELECT 1 AS a").await, "T D:1 C:SELECT 1 Z:I");
}
