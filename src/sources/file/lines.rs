//! Blocks of bytes cut into lines.

/// Where the first newline is.
pub fn newline(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

/// The lines of a block with their positions in it, without their ends. What follows the last newline is no line.
pub fn whole_lines(block: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', block).map(move |end| {
        let line = (start, &block[start..end]);
        start = end + 1;
        line
    })
}

pub fn count(block: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', block).count()
}

/// How long the first `most` lines of a block are; all of it when it has no more.
pub fn length_of(block: &[u8], most: usize) -> usize {
    let Some(last) = most.checked_sub(1) else { return 0 };
    memchr::memchr_iter(b'\n', block).nth(last).map_or(block.len(), |newline| newline + 1)
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

#[inline]
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

    #[test]
    fn some_lines_of_a_block() {
        let block = b"a\n\nbc\nd\n";
        assert_eq!([0, 1, 2, 3, 4, 5].map(|count| length_of(block, count)), [0, 2, 3, 6, 8, 8]);
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
