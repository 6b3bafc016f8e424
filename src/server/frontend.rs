//! The messages that clients send, read from bytes that may be anything.
//!
//! pgwire's own decoders trust the counts inside of a message; these do not, and never look beyond the frame.

use bytes::{Buf, Bytes};

use crate::types::{Report, SqlState};

#[derive(Debug, PartialEq, Eq)]
pub enum Frontend {
    Query(String),
    Parse {
        statement: String,
        query: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Execute {
        portal: String,
        max_rows: i32,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    CopyData(Bytes),
    CopyDone,
    CopyFail(String),
    /// A password, or a step of SASL.
    Password(Bytes),
    /// A message whose frame was whole and whose body made no sense.
    Malformed {
        report: Report,
        simple: bool,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bind {
    pub portal: String,
    pub statement: String,
    pub formats: Vec<i16>,
    pub values: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    Statement(String),
    Portal(String),
}

/// Decodes the body of a message of that type.
pub fn decode(message_type: u8, body: Bytes) -> Result<Frontend, Report> {
    let mut body = Body(body);
    let message = match message_type {
        b'Q' => Frontend::Query(body.text()?),
        b'P' => {
            let (statement, query) = (body.text()?, body.text()?);
            let count = body.u16()?;
            let types = (0..count).map(|_| body.u32()).collect::<Result<_, _>>()?;
            Frontend::Parse { statement, query, types }
        }
        b'B' => {
            let (portal, statement) = (body.text()?, body.text()?);
            let formats = body.formats()?;
            let count = body.u16()?;
            let values = (0..count).map(|_| body.value()).collect::<Result<_, _>>()?;
            let result_formats = body.formats()?;
            Frontend::Bind(Bind { portal, statement, formats, values, result_formats })
        }
        b'D' => Frontend::Describe(body.target()?),
        b'C' => Frontend::Close(body.target()?),
        b'E' => Frontend::Execute { portal: body.text()?, max_rows: body.u32()? as i32 },
        b'H' => Frontend::Flush,
        b'S' => Frontend::Sync,
        b'X' => Frontend::Terminate,
        b'd' => return Ok(Frontend::CopyData(body.0)),
        b'c' => Frontend::CopyDone,
        b'f' => Frontend::CopyFail(body.text()?),
        b'p' => return Ok(Frontend::Password(body.0)),
        other => {
            return Err(Report::error(SqlState::PROTOCOL_VIOLATION, format!("invalid frontend message type {other}")));
        }
    };
    if body.0.has_remaining() {
        return Err(malformed());
    }
    Ok(message)
}

fn malformed() -> Report {
    Report::error(SqlState::PROTOCOL_VIOLATION, "invalid message format")
}

pub struct Body(pub Bytes);

impl Body {
    pub fn text(&mut self) -> Result<String, Report> {
        let end = self.0.iter().position(|b| *b == 0).ok_or_else(malformed)?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        match std::str::from_utf8(&text) {
            Ok(text) => Ok(text.to_string()),
            Err(_) => Err(Report::error(SqlState("22021"), "invalid byte sequence for encoding \"UTF8\"")),
        }
    }

    pub fn u16(&mut self) -> Result<u16, Report> {
        self.0.try_get_u16().map_err(|_| malformed())
    }

    pub fn u32(&mut self) -> Result<u32, Report> {
        self.0.try_get_u32().map_err(|_| malformed())
    }

    fn formats(&mut self) -> Result<Vec<i16>, Report> {
        let count = self.u16()?;
        (0..count).map(|_| self.u16().map(|f| f as i16)).collect()
    }

    /// A length, -1 for null, and that many bytes.
    fn value(&mut self) -> Result<Option<Bytes>, Report> {
        match self.u32()? as i32 {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| malformed())?;
                if self.0.remaining() < length {
                    return Err(malformed());
                }
                Ok(Some(self.0.split_to(length)))
            }
        }
    }

    fn target(&mut self) -> Result<Target, Report> {
        match self.0.try_get_u8().map_err(|_| malformed())? {
            b'S' => Ok(Target::Statement(self.text()?)),
            b'P' => Ok(Target::Portal(self.text()?)),
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_message() {
        let body = Bytes::from_static(b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x02ab\0\0");
        let values = vec![None, Some(Bytes::from_static(b"ab"))];
        let bind = Bind { portal: "p".into(), statement: "s".into(), formats: vec![1], values, result_formats: vec![] };
        assert_eq!(decode(b'B', body), Ok(Frontend::Bind(bind)));
    }

    #[test]
    fn every_cut_of_a_message_is_refused_and_none_panics() {
        for (message_type, whole) in [
            (b'B', &b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x02ab\0\0"[..]),
            (b'P', b"s\0select 1\0\0\x01\0\0\0\x17"),
            (b'E', b"p\0\0\0\0\0"),
            (b'D', b"Sx\0"),
            (b'Q', b"select\0"),
            (b'f', b"why\0"),
        ] {
            assert!(decode(message_type, Bytes::copy_from_slice(whole)).is_ok());
            for end in 0..whole.len() {
                let report = decode(message_type, Bytes::copy_from_slice(&whole[..end])).expect_err("cut short");
                assert_eq!(report.sqlstate.0, "08P01");
            }
            let longer = [whole, b"x"].concat();
            assert!(decode(message_type, Bytes::from(longer)).is_err());
        }
        assert!(decode(b'B', Bytes::from_static(b"\0\0\0\0\xff\xff\x7f\xff\xff\xff")).is_err());
        assert!(decode(b'!', Bytes::new()).is_err());
        assert_eq!(decode(b'Q', Bytes::from_static(b"\xff\0")).expect_err("not UTF-8").sqlstate.0, "22021");
    }
}
