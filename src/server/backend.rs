//! The messages that floe sends, written into the outgoing bytes.

use bytes::{BufMut, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::data::{FieldDescription, NoData, ParameterDescription, RowDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete, PortalSuspended};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse, ErrorResponse, NoticeResponse, ReadyForQuery};
use pgwire::messages::startup::{Authentication, BackendKeyData, ParameterStatus, SecretKey};

use crate::coordinator::api::{Description, RowsTag, TransactionStatus};
use crate::types::{Column, Report, Severity, SqlType};

/// Appends a message. The few that pgwire refuses are too long for the protocol; the connection cannot go on then, and
/// the client will say so.
fn put(out: &mut BytesMut, message: &impl Message) {
    if let Err(error) = message.encode(out) {
        tracing::error!(%error, "a message could not be encoded");
    }
}

pub fn authentication(out: &mut BytesMut, message: &Authentication) {
    put(out, message);
}

/// A line of text inside of a message cannot hold the byte that ends it.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    put(out, &ParameterStatus::new(clean(name), clean(value)));
}

pub fn backend_key(out: &mut BytesMut, process_id: i32, secret: i32) {
    put(out, &BackendKeyData::new(process_id, SecretKey::I32(secret)));
}

/// Answers a request for a newer minor version or for options that floe does not know.
pub fn negotiate_version(out: &mut BytesMut, unknown_options: &[String]) {
    let length = 12 + unknown_options.iter().map(|o| o.len() + 1).sum::<usize>();
    out.put_u8(b'v');
    out.put_i32(length as i32);
    out.put_i32(3 << 16);
    out.put_i32(unknown_options.len() as i32);
    for option in unknown_options {
        out.put_slice(option.as_bytes());
        out.put_u8(0);
    }
}

pub fn ready(out: &mut BytesMut, status: TransactionStatus) {
    use pgwire::messages::response::TransactionStatus as Status;
    let status = match status {
        TransactionStatus::Idle => Status::Idle,
        TransactionStatus::InTransaction => Status::Transaction,
        TransactionStatus::Failed => Status::Error,
    };
    put(out, &ReadyForQuery::new(status));
}

fn fields(report: &Report, severity: &str) -> Vec<(u8, String)> {
    let mut fields = vec![
        (b'S', severity.to_string()),
        (b'V', severity.to_string()),
        (b'C', report.sqlstate.0.to_string()),
        (b'M', clean(&report.message)),
    ];
    let optional = [(b'D', report.detail.clone()), (b'H', report.hint.clone()), (b'P', report.position.map(|p| p.to_string()))];
    fields.extend(optional.into_iter().filter_map(|(code, text)| Some((code, clean(&text?)))));
    fields
}

pub fn error(out: &mut BytesMut, report: &Report) {
    put(out, &ErrorResponse::new(fields(report, "ERROR")));
}

/// An error after which the connection ends.
pub fn fatal(out: &mut BytesMut, report: &Report) {
    put(out, &ErrorResponse::new(fields(report, "FATAL")));
}

pub fn notice(out: &mut BytesMut, report: &Report) {
    let severity = match report.severity {
        Severity::Error | Severity::Warning => "WARNING",
        Severity::Notice => "NOTICE",
    };
    put(out, &NoticeResponse::new(fields(report, severity)));
}

/// `formats` has one entry a column.
pub fn row_description(out: &mut BytesMut, columns: &[Column], formats: &[i16]) {
    let fields = columns.iter().zip(formats).map(|(column, format)| {
        // A literal whose type nobody asked for is text, as in PostgreSQL.
        let sql_type = if column.sql_type == SqlType::Unknown { &SqlType::Text } else { &column.sql_type };
        FieldDescription::new(clean(&column.name), 0, 0, sql_type.oid(), sql_type.length(), sql_type.modifier(), *format)
    });
    put(out, &RowDescription::new(fields.collect()));
}

/// A declared type is told back as it was declared.
pub fn parameter_description(out: &mut BytesMut, description: &Description, declared: &[u32]) {
    let count = description.parameters.len().max(declared.len());
    let types = (0..count).map(|at| match (declared.get(at), description.parameters.get(at)) {
        (Some(oid), _) if *oid != 0 => *oid,
        (_, Some(SqlType::Unknown) | None) => SqlType::Text.oid(),
        (_, Some(sql_type)) => sql_type.oid(),
    });
    put(out, &ParameterDescription::new(types.collect()));
}

pub fn no_data(out: &mut BytesMut) {
    put(out, &NoData::new());
}

pub fn parse_complete(out: &mut BytesMut) {
    put(out, &ParseComplete::new());
}

pub fn bind_complete(out: &mut BytesMut) {
    put(out, &BindComplete::new());
}

pub fn close_complete(out: &mut BytesMut) {
    put(out, &CloseComplete::new());
}

pub fn portal_suspended(out: &mut BytesMut) {
    put(out, &PortalSuspended::new());
}

pub fn empty_query(out: &mut BytesMut) {
    put(out, &EmptyQueryResponse::new());
}

pub fn command_complete(out: &mut BytesMut, tag: &str) {
    put(out, &CommandComplete::new(clean(tag)));
}

pub fn rows_tag(tag: &RowsTag, rows: u64) -> String {
    match tag {
        RowsTag::Counted(word) => format!("{word} {rows}"),
        RowsTag::Plain(word) => (*word).to_string(),
    }
}

/// `G` for COPY FROM STDIN, `H` for COPY TO STDOUT, always in text form.
pub fn copy_response(out: &mut BytesMut, kind: u8, columns: usize) {
    out.put_u8(kind);
    out.put_i32(7 + 2 * columns as i32);
    out.put_u8(0);
    out.put_i16(columns as i16);
    out.put_bytes(0, 2 * columns);
}

pub fn copy_data(out: &mut BytesMut, data: &[u8]) {
    out.put_u8(b'd');
    out.put_i32(4 + data.len() as i32);
    out.put_slice(data);
}

pub fn copy_done(out: &mut BytesMut) {
    out.put_u8(b'c');
    out.put_i32(4);
}
