//! One object of the catalog, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::{Epoch, ObjectId, Offsets, RelationSchema};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    Source,
    Table,
    View,
    MaterializedView,
    Sink,
}

impl Kind {
    /// How messages name it: `materialized view`.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Source => "source",
            Kind::Table => "table",
            Kind::View => "view",
            Kind::MaterializedView => "materialized view",
            Kind::Sink => "sink",
        }
    }
}

/// What an object is beyond its name and schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Definition {
    Source {
        /// `kafka`, `file`, `datagen`.
        connector: String,
        /// The WITH options without `connector`, keys in lower case.
        options: BTreeMap<String, String>,
        /// Upper case; `PLAIN` or `DEBEZIUM`.
        format: String,
        encode: String,
        /// Column and delay in microseconds.
        watermark: Option<(String, i64)>,
        /// The relation `"<source>$dead"` that keeps what could not be decoded.
        dead_letter: ObjectId,
        /// Where its past begins: what a view created later reads first.
        start: Offsets,
    },
    /// A relation that floe fills itself and users only read: `"<source>$dead"`.
    DeadLetter { source: ObjectId },
    Table {
        /// By column: the DEFAULT expression's text.
        defaults: Vec<Option<String>>,
        /// A new row replaces the one with its key instead of failing.
        overwrite: bool,
    },
    View {
        /// The query's text.
        query: String,
    },
    MaterializedView {
        query: String,
        /// Hash of the circuit plan whose traces the store holds.
        fingerprint: String,
    },
    Sink {
        connector: String,
        options: BTreeMap<String, String>,
        /// Names this sink in its target for ever.
        sink_id: String,
        input: SinkInput,
    },
}

/// What a sink writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SinkInput {
    Relation(ObjectId),
    /// `AS query`: the sink's own number is that of the query's circuit, whose rows are not kept.
    Query {
        query: String,
        /// Hash of the circuit plan whose traces the store holds.
        fingerprint: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: ObjectId,
    pub schema_name: String,
    pub name: String,
    pub definition: Definition,
    pub schema: RelationSchema,
    /// The CREATE statement as the user wrote it.
    pub sql: String,
    /// What it reads; dropping one of these needs CASCADE.
    pub depends_on: Vec<ObjectId>,
    /// The epoch at which it came to be.
    pub created: Epoch,
}

impl Entry {
    pub fn kind(&self) -> Kind {
        match self.definition {
            Definition::Source { .. } => Kind::Source,
            Definition::Table { .. } | Definition::DeadLetter { .. } => Kind::Table,
            Definition::View { .. } => Kind::View,
            Definition::MaterializedView { .. } => Kind::MaterializedView,
            Definition::Sink { .. } => Kind::Sink,
        }
    }
}
