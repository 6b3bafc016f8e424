//! Cells come back as they were set, and cost the store only what changed.

use std::sync::Arc;

use super::Cells;
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

fn get(cells: &Cells, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    cells.get(keys.iter().copied()).unwrap()
}

#[test]
fn cells_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let id = TraceId::new(ObjectId(16384), 65535);
    {
        let set = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
        let cells = set.cells(id).unwrap();
        cells.set(b"", Some(b"the empty key")).unwrap();
        cells.set(b"sum", Some(b"1")).unwrap();
        cells.set(b"gone", Some(b"")).unwrap();
        assert!(checkpoint(&set) > 0);
        cells.set(b"sum", Some(b"2")).unwrap();
        cells.set(b"gone", None).unwrap();
        cells.set(b"never", None).unwrap();
        cells.set(b"", Some(b"the empty key")).unwrap();
        assert_eq!(get(&cells, &[b"sum", b"x"]), [Some(b"2".to_vec()), None], "read before it is stored");
        checkpoint(&set);
        assert_eq!(checkpoint(&set), 0);
        cells.set(b"lost", Some(b"not checkpointed")).unwrap();
    }
    let set = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
    let cells = set.cells(id).unwrap();
    let found = get(&cells, &[b"", b"sum", b"gone", b"lost"]);
    assert_eq!(found, [Some(b"the empty key".to_vec()), Some(b"2".to_vec()), None, None]);
    assert_eq!(cells.len(), 2);
    cells.clear();
    assert_eq!((cells.is_empty(), cells.bytes(), get(&cells, &[b"sum"])), (true, 0, vec![None]));
    checkpoint(&set);
    assert!(TraceSet::new(set.store().clone()).cells(id).unwrap().is_empty());
}
