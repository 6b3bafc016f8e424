//! The store's parts: key spaces that are written together and read apart.

/// A key space of the store (a column family of RocksDB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// The format's version, the checkpoint record, the schema of each trace.
    Meta,
    /// Catalog entries, by object.
    Catalog,
    /// What each epoch took in since the last checkpoint, by epoch.
    Journal,
    /// The entries of traces and cells; see [`super::key_layout`].
    Trace,
    /// Which blobs are the chunks of rows and the pages of records of which trace; see [`super::shelf`] and [`super::records`].
    Chunk,
    /// Large values, by number; see [`super::blob`].
    Blob,
    /// Changes that wait for their sink, and commits that are prepared, by sink.
    Staged,
    /// Sinks' own key indexes, by sink.
    Index,
}

impl Family {
    pub const ALL: [Family; 8] =
        [Family::Meta, Family::Catalog, Family::Journal, Family::Trace, Family::Chunk, Family::Blob, Family::Staged, Family::Index];

    /// Its lasting name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Family::Meta => "meta",
            Family::Catalog => "catalog",
            Family::Journal => "journal",
            Family::Trace => "trace",
            Family::Chunk => "chunk",
            Family::Blob => "blob",
            Family::Staged => "staged",
            Family::Index => "index",
        }
    }
}
