//! Bytes as lines.

/// Where the first newline is.
pub fn newline(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

/// Where the last newline is.
pub fn last_newline(bytes: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', bytes)
}

#[inline]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_and_blanks() {
        assert_eq!(newline(b"bc\r\nrest\n"), Some(3));
        assert_eq!(last_newline(b"bc\r\nrest\n"), Some(8));
        assert_eq!(newline(b"rest"), None);
        assert_eq!(last_newline(b""), None);
        assert!(is_blank(b" \r"));
        assert!(!is_blank(b" x"));
    }
}
