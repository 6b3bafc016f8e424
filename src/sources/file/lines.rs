//! Blocks of bytes cut into lines.

/// Where the first newline is.
pub fn newline(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

/// Cuts a block of whole lines into `count` pieces of whole lines that are about as long; fewer where lines are long.
pub fn pieces(block: &[u8], count: usize) -> Vec<&[u8]> {
    let (mut pieces, mut rest) = (Vec::new(), block);
    for left in (2..=count).rev() {
        let middle = rest.len() / left;
        let Some(end) = newline(&rest[middle..]) else { break };
        let (piece, others) = rest.split_at(middle + end + 1);
        pieces.push(piece);
        rest = others;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The first lines of a block of whole lines, about that many bytes, and one line at least.
pub fn first(block: &[u8], bytes: usize) -> &[u8] {
    if block.len() <= bytes {
        return block;
    }
    let end = memchr::memrchr(b'\n', &block[..bytes]).or_else(|| newline(&block[bytes..]).map(|more| bytes + more));
    end.map_or(block, |end| &block[..end + 1])
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
        assert_eq!(newline(b"bc\r\nrest"), Some(3));
        assert_eq!(newline(b"rest"), None);
        assert_eq!(newline(b""), None);
        assert!(is_blank(b" \r"));
        assert!(!is_blank(b" x"));
    }

    #[test]
    fn first_lines_are_whole() {
        let block = b"ab\ncdef\n\ng\n";
        let firsts = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 99].map(|bytes| first(block, bytes).len());
        assert_eq!(firsts, [3, 3, 3, 3, 3, 3, 8, 9, 9, 11, 11]);
    }

    #[test]
    fn pieces_are_the_block_again() {
        let block: Vec<u8> = (0..200).flat_map(|i| [vec![b'x'; i * 7 % 31], vec![b'\n']].concat()).collect();
        for count in 1..20 {
            let pieces = pieces(&block, count);
            assert_eq!(pieces.len(), count);
            assert!(pieces.iter().all(|piece| piece.ends_with(b"\n") && piece.len() < 2 * block.len() / count + 32));
            assert_eq!(pieces.concat(), block);
        }
        assert_eq!(pieces(b"one line\n", 3), [b"one line\n"]);
        assert_eq!(pieces(b"", 3), [b""; 0]);
    }
}
