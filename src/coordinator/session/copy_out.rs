//! COPY TO STDOUT: rows as lines of text or CSV.

use bytes::{BufMut, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::coordinator::api::{CopyRows, RowStream};
use crate::sql::statement::{Copy, CopyFormat};
use crate::types::form::{Values, Zone};
use crate::types::{Column, Report};

/// One piece of data a batch; the header, when asked for, comes first.
pub fn stream(columns: Vec<Column>, rows: RowStream, copy: Copy, zone: Zone) -> BoxStream<'static, Result<CopyRows, Report>> {
    let header = copy.header.then(|| {
        let mut line = BytesMut::new();
        for (at, column) in columns.iter().enumerate() {
            separate(at, &copy, &mut line);
            write_field(column.name.as_bytes(), &copy, &mut line);
        }
        line.put_u8(b'\n');
        Ok(CopyRows { lines: vec![line.freeze()], rows: 0 })
    });
    let data = rows.map(move |batch| {
        let batch = batch?;
        let arrays = batch
            .columns()
            .iter()
            .zip(&columns)
            .map(|(array, column)| Values::new(array, &column.sql_type))
            .collect::<Result<Vec<_>, _>>()?;
        let (mut out, mut field) = (BytesMut::new(), BytesMut::new());
        let mut lines = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            for (at, values) in arrays.iter().enumerate() {
                separate(at, &copy, &mut out);
                if values.is_null(row) {
                    out.put_slice(copy.null.as_bytes());
                } else {
                    field.clear();
                    values.write_text(row, &zone, &mut field);
                    write_field(&field, &copy, &mut out);
                }
            }
            out.put_u8(b'\n');
            lines.push(out.split().freeze());
        }
        Ok(CopyRows { lines, rows: batch.num_rows() as u64 })
    });
    stream::iter(header).chain(data).boxed()
}

fn separate(at: usize, copy: &Copy, out: &mut BytesMut) {
    if at > 0 {
        out.put_slice(copy.delimiter.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn write_field(field: &[u8], copy: &Copy, out: &mut BytesMut) {
    match copy.format {
        CopyFormat::Text => {
            let delimiter = u8::try_from(copy.delimiter).unwrap_or(b'\t');
            for byte in field {
                match byte {
                    b'\\' => out.put_slice(b"\\\\"),
                    8 => out.put_slice(b"\\b"),
                    12 => out.put_slice(b"\\f"),
                    b'\n' => out.put_slice(b"\\n"),
                    b'\r' => out.put_slice(b"\\r"),
                    b'\t' => out.put_slice(b"\\t"),
                    11 => out.put_slice(b"\\v"),
                    byte if *byte == delimiter => {
                        out.put_u8(b'\\');
                        out.put_u8(*byte);
                    }
                    byte => out.put_u8(*byte),
                }
            }
        }
        CopyFormat::Csv => {
            let mut buffer = [0; 4];
            let quote = copy.quote.encode_utf8(&mut buffer).as_bytes();
            let mut buffer = [0; 4];
            let delimiter = copy.delimiter.encode_utf8(&mut buffer).as_bytes();
            let special = |part: &[u8]| !part.is_empty() && field.windows(part.len()).any(|w| w == part);
            let needs_quotes = field == copy.null.as_bytes()
                || field == b"\\."
                || special(quote)
                || special(delimiter)
                || field.iter().any(|b| matches!(b, b'\n' | b'\r'));
            if !needs_quotes {
                out.put_slice(field);
                return;
            }
            out.put_slice(quote);
            let mut rest = field;
            while let Some((first, tail)) = rest.split_first() {
                if rest.starts_with(quote) {
                    out.put_slice(quote);
                    out.put_slice(quote);
                    rest = &rest[quote.len()..];
                } else {
                    out.put_u8(*first);
                    rest = tail;
                }
            }
            out.put_slice(quote);
        }
    }
}
