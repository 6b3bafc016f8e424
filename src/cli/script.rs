//! A script cut into statements, with the line that each begins on, and the data lines that follow a COPY FROM STDIN.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Without the semicolon.
    pub text: String,
    /// From 1.
    pub line: usize,
    /// For COPY ... FROM STDIN: the lines up to `\.`, with their line ends.
    pub data: Option<String>,
}

/// Semicolons count outside of quotes, dollar quotes and comments.
pub fn split(script: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = script;
    let mut line = 1;
    while !rest.is_empty() {
        let (length, ended) = statement_length(rest);
        let (text, after) = rest.split_at(length);
        let mut after = if ended { &after[1..] } else { after };
        let skipped = leading_noise(text);
        let begins = line + newlines(&text[..skipped]);
        line += newlines(text);
        let text = text[skipped..].trim_end();
        let mut data = None;
        if is_copy_in(text) {
            // What stands on the statement's own line after the semicolon does not count.
            let own_line = after.find('\n').map_or(after.len(), |at| at + 1);
            line += newlines(&after[..own_line]);
            let (lines, remaining) = copy_data(&after[own_line..]);
            line += newlines(&after[own_line..after.len() - remaining.len()]);
            data = Some(lines.to_string());
            after = remaining;
        }
        if !text.is_empty() {
            parts.push(Part { text: text.to_string(), line: begins, data });
        }
        rest = after;
    }
    parts
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}

/// Up to the semicolon that ends the first statement, or to the end.
fn statement_length(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        at += match bytes[at] {
            b';' => return (at, true),
            b'\'' => {
                let escapes = at > 0 && matches!(bytes[at - 1], b'e' | b'E') && (at < 2 || !is_word(bytes[at - 2]));
                quoted(rest, b'\'', escapes)
            }
            b'"' => quoted(rest, b'"', false),
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => comment(rest),
            b'$' if at == 0 || !is_word(bytes[at - 1]) => dollar(rest),
            first => char_length(first),
        };
    }
    (text.len(), false)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn char_length(first: u8) -> usize {
    match first {
        0..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    }
}

/// The length of a quoted text; a doubled quote is just closed and opened again.
fn quoted(text: &str, quote: u8, escapes: bool) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && escapes {
            bytes.next();
        } else if byte == quote {
            return at + 1;
        }
    }
    text.len()
}

/// `/* ... */`, which nests.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// `$tag$ ... $tag$`, or just the dollar.
fn dollar(text: &str) -> usize {
    let Some(end) = text[1..].find('$').map(|at| at + 2) else { return 1 };
    let tag = &text[..end];
    let inner = &tag[1..end - 1];
    if !inner.bytes().all(is_word) || inner.starts_with(|c: char| c.is_ascii_digit()) {
        return 1;
    }
    text[end..].find(tag).map_or(text.len(), |at| end + at + tag.len())
}

/// Blanks and comments before the statement.
fn leading_noise(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        let noise = if rest[blank..].starts_with("--") {
            rest[blank..].find('\n').unwrap_or(rest.len() - blank)
        } else if rest[blank..].starts_with("/*") {
            comment(&rest[blank..])
        } else {
            0
        };
        at += blank + noise;
        if noise == 0 {
            return at;
        }
    }
}

fn is_copy_in(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.first().is_some_and(|w| w == "copy") && words.windows(2).any(|w| w[0] == "from" && w[1] == "stdin")
}

/// The lines before `\.`, and what follows that line.
fn copy_data(text: &str) -> (&str, &str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "\\." {
            return (&text[..at], &text[at + line.len()..]);
        }
        at += line.len();
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<(usize, String)> {
        split(script).into_iter().map(|p| (p.line, p.text)).collect()
    }

    #[test]
    fn semicolons_inside_of_things_do_not_count() {
        let script = "-- first; comment\nSELECT 'a;''b', \";\" ; /* x; /* y; */ ; */\n\nSELECT $q$;$q$, E'\\';', $1;\n;;\nSELECT 'é;'";
        let expected = [(2, "SELECT 'a;''b', \";\""), (4, "SELECT $q$;$q$, E'\\';', $1"), (6, "SELECT 'é;'")];
        assert_eq!(texts(script), expected.map(|(line, text)| (line, text.to_string())));
    }

    #[test]
    fn what_never_closes_goes_to_the_end() {
        for script in ["SELECT 'open; x", "SELECT /* open; x", "SELECT $a$ open; x", "SELECT \"open; x"] {
            assert_eq!(texts(script), [(1, script.to_string())]);
        }
        assert_eq!(texts(" -- nothing\n ;"), []);
    }

    #[test]
    fn data_follows_copy() {
        let parts = split("COPY t FROM STDIN;\n1\ta;b\n2\t'\n\\.\nSELECT 1;");
        assert_eq!(parts[0].data.as_deref(), Some("1\ta;b\n2\t'\n"));
        assert_eq!((parts[1].line, parts[1].text.as_str()), (5, "SELECT 1"));
    }
}
