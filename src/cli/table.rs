//! Results as text: aligned for people, CSV or TSV for programs.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Aligned,
    Csv,
    Tsv,
}

/// Prints one result. `rows` have as many values as there are `columns`; `None` is null.
pub fn print(format: Format, columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    match format {
        Format::Aligned => aligned(columns, rows),
        Format::Csv => separated(columns, rows, ",", csv),
        Format::Tsv => separated(columns, rows, "\t", tsv),
    }
}

fn aligned(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    let width = |text: &str| text.chars().count();
    let cell = |value: &Option<String>| value.clone().unwrap_or_default().replace('\n', "\\n");
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, name)| rows.iter().filter_map(|r| r.get(at)).map(|v| width(&cell(v))).max().unwrap_or(0).max(width(name)))
        .collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(text, w)| format!(" {text}{} ", " ".repeat(w - width(text).min(*w))));
        format!("{}\n", padded.collect::<Vec<_>>().join("|").trim_end())
    };
    let mut out = line(columns.to_vec());
    out.push_str(&widths.iter().map(|w| "-".repeat(w + 2)).collect::<Vec<_>>().join("+"));
    out.push('\n');
    for row in rows {
        out.push_str(&line(row.iter().map(cell).collect()));
    }
    out.push_str(&format!("({} row{})\n", rows.len(), if rows.len() == 1 { "" } else { "s" }));
    out
}

type WriteCell = fn(Option<&str>) -> String;

fn separated(columns: &[String], rows: &[Vec<Option<String>>], separator: &str, write: WriteCell) -> String {
    let mut out = String::new();
    out.push_str(&columns.iter().map(|c| write(Some(c))).collect::<Vec<_>>().join(separator));
    out.push('\n');
    for row in rows {
        out.push_str(&row.iter().map(|v| write(v.as_deref())).collect::<Vec<_>>().join(separator));
        out.push('\n');
    }
    out
}

/// A null is nothing, an empty text is `""`.
fn csv(value: Option<&str>) -> String {
    match value {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Some(text) => text.to_string(),
    }
}

/// As COPY's text format: a null is `\N`.
fn tsv(value: Option<&str>) -> String {
    match value {
        None => "\\N".to_string(),
        Some(text) => text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_formats() {
        let columns = ["id".to_string(), "name".to_string()];
        let rows = [vec![Some("1".to_string()), Some("a,\tb".to_string())], vec![Some("12".to_string()), None]];
        assert_eq!(print(Format::Aligned, &columns, &rows), " id | name\n----+------\n 1  | a,\tb\n 12 |\n(2 rows)\n");
        assert_eq!(print(Format::Csv, &columns, &rows), "id,name\n1,\"a,\tb\"\n12,\n");
        assert_eq!(print(Format::Tsv, &columns, &rows), "id\tname\n1\ta,\\tb\n12\t\\N\n");
    }
}
