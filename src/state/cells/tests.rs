//! Cells come back as they were set, and cost the store only what changed.

use std::sync::Arc;

use crate::state::store::Store;
use crate::state::trace_set::TraceSet;
use crate::state::writes::Writes;
use crate::types::{ObjectId, TraceId};

fn checkpoint(set: &TraceSet) -> usize {
    let mut writes = Writes::new();
    set.dirty(&mut writes).unwrap();
    let bytes = writes.bytes();
    set.store().write(writes, true).unwrap();
    bytes
}

#[test]
fn cells_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let id = TraceId::new(ObjectId(16384), 65535);
    {
        let set = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
        let cells = set.cells(id).unwrap();
        cells.set(b"", Some(b"the empty key"));
        cells.set(b"sum", Some(b"1"));
        cells.set(b"gone", Some(b""));
        assert!(checkpoint(&set) > 0);
        cells.set(b"sum", Some(b"2"));
        cells.set(b"gone", None);
        cells.set(b"never", None);
        cells.set(b"", Some(b"the empty key"));
        assert_eq!(cells.get(b"sum"), Some(b"2".to_vec()), "read before it is stored");
        checkpoint(&set);
        assert_eq!(checkpoint(&set), 0);
        cells.set(b"lost", Some(b"not checkpointed"));
    }
    let set = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
    let cells = set.cells(id).unwrap();
    let found = cells.snapshot();
    assert_eq!(found.iter().collect::<Vec<_>>(), [(&b""[..], &b"the empty key"[..]), (b"sum", b"2")]);
    assert_eq!((cells.len(), cells.get(b"gone"), cells.get(b"lost")), (2, None, None));
    cells.clear();
    assert_eq!((cells.is_empty(), cells.bytes(), found.iter().count()), (true, 0, 2));
    checkpoint(&set);
    assert!(TraceSet::new(set.store().clone()).cells(id).unwrap().is_empty());
}
