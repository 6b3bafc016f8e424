//! What an upsert keeps between epochs, and what it gives each epoch.

use crate::dataflow::keyed_trace::KeyedTrace;
use crate::state::{Arrangement, Cells};
use crate::zset::{Delta, RowCodec};

/// The state of a relation with a key.
pub struct Keyed {
    pub key: Vec<usize>,
    /// Of the key's columns.
    pub codec: RowCodec,
    pub rows: Arrangement,
    /// Rows on their way to another key: the old key's columns, the new key's columns, the row.
    pub limbo: KeyedTrace,
    /// Old key bytes, then new key bytes, of moves whose upsert came before its delete.
    pub marks: Cells,
}

/// What one step gives.
#[derive(Clone, Debug)]
pub struct UpsertOutput {
    /// What is read of the change of the relation; whole rows are named once when the relation has a key, each row by itself
    /// when it has none.
    pub delta: Delta,
    /// Whether the relation has changed, also in what is not read.
    pub changed: bool,
    /// Changes that could not be applied, as positions: the batch, and the row in it.
    pub unresolved: Vec<(usize, usize)>,
    /// Deletes of keys that were not there.
    pub ignored_deletes: usize,
}
