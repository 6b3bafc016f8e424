//! The catalog comes back from disk as it was put there.

use std::collections::BTreeMap;

use super::*;
use crate::catalog::entry::{Definition, Kind, SinkInput};
use crate::catalog::testing::{entry, source, table, view};
use crate::types::SqlState;

#[test]
fn entries_come_back() {
    let definition = Definition::MaterializedView { query: "SELECT 'é'".to_string(), fingerprint: "f".to_string() };
    let sink = |input| Definition::Sink { connector: "iceberg".to_string(), options: BTreeMap::new(), sink_id: "0198".to_string(), input };
    let query = SinkInput::Query { query: "SELECT v FROM m".to_string(), fingerprint: "f".to_string() };
    let dead = Definition::DeadLetter { source: ObjectId(1) };
    let mut keyed = table(3, "t");
    keyed.schema.primary_key = vec![0];
    let entries = [
        source(1, "s", 2),
        entry(2, "s$dead", dead, &[1]),
        keyed,
        view(256, "v", &[3]),
        entry(4, "m", definition, &[3]),
        entry(5, "k", sink(SinkInput::Relation(ObjectId(4))), &[4]),
        entry(6, "q", sink(query), &[4]),
    ];

    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        assert!(Catalog::load(&store).unwrap().is_empty());
        let mut writes = Writes::new();
        entries.iter().for_each(|entry| Catalog::put(entry, &mut writes).unwrap());
        store.write(writes, true).unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    let catalog = Catalog::load(&store).unwrap();
    assert_eq!(catalog.len(), entries.len());
    for entry in &entries {
        assert_eq!(catalog.get(entry.id).unwrap().as_ref(), entry);
    }
    assert_eq!(catalog.resolve(None, "m").unwrap().kind(), Kind::MaterializedView);

    let mut writes = Writes::new();
    Catalog::delete(ObjectId(256), &mut writes);
    store.write(writes, true).unwrap();
    assert_eq!(Catalog::load(&store).unwrap().entries().map(|entry| entry.id.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn other_bytes_are_refused() {
    for bytes in [&[][..], &[9, b'{', b'}'], &[1, b'{', b'}']] {
        let store = Store::memory();
        let mut writes = Writes::new();
        writes.put(Family::Catalog, 1u32.to_be_bytes(), bytes);
        store.write(writes, true).unwrap();
        assert_eq!(Catalog::load(&store).unwrap_err().report().sqlstate, SqlState::DATA_CORRUPTED);
    }
}
