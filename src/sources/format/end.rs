//! Where a record ends among the bytes that it stands in.

#[derive(Clone, Copy, Debug)]
pub enum End {
    At(usize),
    /// Where its line does. It is not looked for: a path that is followed gets there.
    Newline,
}

impl End {
    /// The place, for those who need to know it before.
    pub fn place(self, bytes: &[u8]) -> usize {
        match self {
            End::At(to) => to,
            End::Newline => memchr::memchr(b'\n', bytes).unwrap_or(bytes.len()),
        }
    }

    /// The same place, counted from `at`.
    pub fn behind(self, at: usize) -> End {
        match self {
            End::At(to) => End::At(to.saturating_sub(at)),
            End::Newline => End::Newline,
        }
    }

    /// Whether it is there.
    #[inline]
    pub fn is_at(self, bytes: &[u8], at: usize) -> bool {
        match self {
            End::At(to) => at == to,
            End::Newline => bytes.get(at) == Some(&b'\n'),
        }
    }
}
