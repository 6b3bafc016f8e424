//! One client's socket: frames in, bytes out.

use std::future::pending;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::Stop;
use super::frontend::{Frontend, decode};
use crate::types::{Report, SqlState};

/// What is gathered before it is sent without being asked to.
const SEND_AT: usize = 64 << 10;
/// How much is read ahead while a statement runs.
const READ_AHEAD: usize = 1 << 20;
/// The longest message before and after the client has shown who it is.
const STARTUP_LIMIT: usize = 10_000;
const MESSAGE_LIMIT: usize = 512 << 20;

pub struct Wire {
    stream: TcpStream,
    inbound: BytesMut,
    /// Messages to be sent; whoever writes here need not know when.
    pub outbound: BytesMut,
    limit: usize,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Wire {
        Wire { stream, inbound: BytesMut::with_capacity(8 << 10), outbound: BytesMut::with_capacity(8 << 10), limit: STARTUP_LIMIT }
    }

    /// The client is known: it may send long messages.
    pub fn trust(&mut self) {
        self.limit = MESSAGE_LIMIT;
    }

    /// The next message. May be dropped and called again without losing bytes.
    pub async fn read(&mut self) -> Result<Frontend, Stop> {
        while self.inbound.len() < 5 {
            self.more().await?;
        }
        let length = self.frame_length(1)?;
        while self.inbound.len() < 1 + length {
            self.more().await?;
        }
        let message_type = self.inbound.get_u8();
        let mut frame = self.inbound.split_to(length).freeze();
        frame.advance(4);
        decode(message_type, frame).or_else(|report| match message_type {
            b'Q' => Ok(Frontend::Malformed { report, simple: true }),
            b'P' | b'B' | b'D' | b'C' | b'E' | b'f' => Ok(Frontend::Malformed { report, simple: false }),
            // Where this conversation stands, nobody knows.
            _ => Err(Stop::Fatal(report)),
        })
    }

    /// The body of the first message, which has no type.
    pub async fn read_startup(&mut self) -> Result<Bytes, Stop> {
        while self.inbound.len() < 4 {
            self.more().await?;
        }
        let length = self.frame_length(0)?;
        while self.inbound.len() < length {
            self.more().await?;
        }
        let mut frame = self.inbound.split_to(length).freeze();
        frame.advance(4);
        Ok(frame)
    }

    fn frame_length(&self, at: usize) -> Result<usize, Stop> {
        let wrong = || Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "invalid message length"));
        let length = self.inbound.get(at..at + 4).map(|mut bytes| bytes.get_u32()).ok_or_else(wrong)? as usize;
        if length < 4 || length > self.limit { Err(wrong()) } else { Ok(length) }
    }

    async fn more(&mut self) -> Result<(), Stop> {
        match self.stream.read_buf(&mut self.inbound).await {
            Ok(0) | Err(_) => Err(Stop::Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Waits until the client has gone, reading ahead what it sends meanwhile.
    pub async fn gone(&mut self) {
        while self.inbound.len() < READ_AHEAD {
            if self.more().await.is_err() {
                return;
            }
        }
        pending().await
    }

    /// Whether enough is gathered to be sent.
    pub fn is_full(&self) -> bool {
        self.outbound.len() >= SEND_AT
    }

    /// Sends everything. May be dropped: what was not sent stays.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.outbound.has_remaining() {
            if self.stream.write_buf(&mut self.outbound).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// A single byte answers a request for encryption; bytes that came with the request would have come unencrypted in
    /// an encrypted session, so there must be none.
    pub fn nothing_read_ahead(&self) -> bool {
        self.inbound.is_empty()
    }

    pub async fn close(&mut self) {
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }
}
