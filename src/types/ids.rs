//! Names of things that outlive a process: catalog objects, traces and epochs; and of the steps that an epoch is made in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A catalog object's lasting number. It is the OID that PostgreSQL clients see; user objects start at
/// [`ObjectId::FIRST_USER`], as in PostgreSQL, and a number is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId(pub u32);

impl ObjectId {
    pub const FIRST_USER: ObjectId = ObjectId(16384);
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One trace of one object: the object that owns it, the position of the trace among the object's own (the order in
/// which its circuit asks for them, the same for the same plan), and the shard whose rows it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TraceId {
    pub object: ObjectId,
    pub slot: u16,
    pub shard: u8,
}

impl TraceId {
    /// The trace of the first shard, which is the only one of what is not divided.
    pub const fn new(object: ObjectId, slot: u16) -> TraceId {
        TraceId { object, slot, shard: 0 }
    }

    pub const fn of_shard(self, shard: u8) -> TraceId {
        TraceId { shard, ..self }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.object, self.slot, self.shard)
    }
}

/// The unit of atomicity and of visible time, one clock for the whole database. Epoch 0 is the empty database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl Epoch {
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

/// One step of the circuits: an epoch, or a slice of one whose changes are very many. All circuits step a slice before any
/// steps the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    pub epoch: Epoch,
    pub slice: u32,
    /// Of a slice that one circuit takes in pieces, from 1 on: no other circuit has such a turn.
    pub piece: u32,
}

impl From<Epoch> for Turn {
    fn from(epoch: Epoch) -> Turn {
        Turn { epoch, ..Turn::default() }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
