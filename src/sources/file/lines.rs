//! Blocks of bytes cut into lines.

use std::io::BufRead;

/// Where the first newline is. Reading up to it is the standard library's fastest search for a byte.
pub fn newline(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    match rest.skip_until(b'\n') {
        Ok(taken) if taken > 0 && bytes[taken - 1] == b'\n' => Some(taken - 1),
        _ => None,
    }
}

/// The lines of a block with their positions in it, without their ends. What follows the last newline is no line.
pub fn whole_lines(block: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let length = newline(&block[start..])?;
        at = start + length + 1;
        Some((start, &block[start..start + length]))
    })
}

pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_newlines() {
        let block = b"a\n\nbc\r\nrest";
        let lines: Vec<_> = whole_lines(block).collect();
        assert_eq!(lines, [(0, &b"a"[..]), (2, &b""[..]), (3, &b"bc\r"[..])]);
        assert!(is_blank(b" \r"));
        assert!(!is_blank(b" x"));
        assert_eq!(newline(b""), None);
    }
}
