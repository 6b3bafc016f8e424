//! One atomic write: what is put and deleted, in order, across all families.

use std::fmt;
use std::sync::Arc;

use crate::zset::ZSet;

use super::error::StateError;
use super::family::Family;
use super::ipc::zset_to_ipc;
use super::key_layout::after_prefix;

/// A single step of a write. A later step wins over an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Put {
        family: Family,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Delete {
        family: Family,
        key: Vec<u8>,
    },
    /// Every key in `from..to`; without `to`, every key from there on.
    DeleteRange {
        family: Family,
        from: Vec<u8>,
        to: Option<Vec<u8>>,
    },
}

/// Steps that happen together or not at all, collected for [`super::Store::write`].
#[derive(Clone, Debug, Default)]
pub struct Writes {
    steps: Vec<Step>,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Ready(Write),
    /// Rows that become bytes when they are written: whoever collects a checkpoint holds up the epochs, whoever writes it
    /// does not.
    PutRows {
        family: Family,
        key: Vec<u8>,
        rows: ZSet,
    },
    /// Several of those.
    Later(Unmade),
}

/// What becomes keys and values when it is written.
pub trait Later: Send + Sync {
    fn puts(&self, put: &mut dyn FnMut(Family, Vec<u8>, Vec<u8>)) -> Result<(), StateError>;
}

#[derive(Clone)]
struct Unmade(Arc<dyn Later>);

impl fmt::Debug for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unmade")
    }
}

impl Writes {
    pub fn new() -> Writes {
        Writes::default()
    }

    pub fn put(&mut self, family: Family, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(Write::Put { family, key: key.into(), value: value.into() });
    }

    /// Puts the rows as [`zset_to_ipc`] writes them.
    pub fn put_rows(&mut self, family: Family, key: impl Into<Vec<u8>>, rows: ZSet) {
        let key = key.into();
        self.bytes += key.len() + rows.rows().get_array_memory_size() + rows.len() * 8;
        self.steps.push(Step::PutRows { family, key, rows });
    }

    /// Puts what `later` makes, of about so many bytes.
    pub fn put_later(&mut self, later: Arc<dyn Later>, bytes: usize) {
        self.bytes += bytes;
        self.steps.push(Step::Later(Unmade(later)));
    }

    pub fn delete(&mut self, family: Family, key: impl Into<Vec<u8>>) {
        self.push(Write::Delete { family, key: key.into() });
    }

    /// Deletes every key that begins with `prefix`; an empty prefix is the whole family.
    pub fn delete_prefix(&mut self, family: Family, prefix: impl Into<Vec<u8>>) {
        let from = prefix.into();
        let to = after_prefix(&from);
        self.push(Write::DeleteRange { family, from, to });
    }

    /// Deletes every key in `from..to`.
    pub fn delete_range(&mut self, family: Family, from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) {
        self.push(Write::DeleteRange { family, from: from.into(), to: Some(to.into()) });
    }

    /// Puts the steps of `later` behind these.
    pub fn append(&mut self, later: Writes) {
        self.bytes += later.bytes;
        self.steps.extend(later.steps);
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The size of all keys and values in bytes; of rows an estimate.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The steps one after the other: rows become bytes as they are asked for, and are let go of.
    pub(super) fn into_steps(self) -> impl Iterator<Item = Result<Write, StateError>> {
        self.steps.into_iter().flat_map(|step| match made(step) {
            Ok(writes) => writes.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn push(&mut self, step: Write) {
        self.bytes += match &step {
            Write::Put { key, value, .. } => key.len() + value.len(),
            Write::Delete { key, .. } => key.len(),
            Write::DeleteRange { from, to, .. } => from.len() + to.as_ref().map_or(0, Vec::len),
        };
        self.steps.push(Step::Ready(step));
    }
}

fn made(step: Step) -> Result<Vec<Write>, StateError> {
    match step {
        Step::Ready(write) => Ok(vec![write]),
        Step::PutRows { family, key, rows } => Ok(vec![Write::Put { family, key, value: zset_to_ipc(&rows)? }]),
        Step::Later(Unmade(later)) => {
            let mut writes = Vec::new();
            later.puts(&mut |family, key, value| writes.push(Write::Put { family, key, value }))?;
            Ok(writes)
        }
    }
}
