//! Changes wait in epoch order until removed; the prepared commit and the index are the sink's alone.

use super::*;
use crate::zset::text::{parse, print};

const SINK: ObjectId = ObjectId(16390);
const OTHER: ObjectId = ObjectId(16391);

fn write(store: &Store, fill: impl FnOnce(&mut Writes)) {
    let mut writes = Writes::new();
    fill(&mut writes);
    store.write(writes, true).unwrap();
}

fn stage(store: &Store, sink: ObjectId, epochs: &[u64]) {
    for epoch in epochs {
        let change = |row: &str| parse("k int8, v text", &format!("{epoch} {row}"));
        write(store, |w| Staged::put(store, sink, Epoch(*epoch), vec![change("a +1"), change("b -1")], w));
    }
}

fn taken(store: &Store, up_to: u64) -> Vec<u64> {
    Staged::take(store, SINK, Epoch(up_to)).unwrap().iter().map(|(epoch, _)| epoch.0).collect()
}

#[test]
fn changes_wait_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        stage(&store, SINK, &[256, 3, 255]);
        stage(&store, OTHER, &[1, 300]);
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(taken(&store, 300), [3, 255, 256]);
    assert_eq!(taken(&store, 255), [3, 255]);
    assert_eq!(taken(&store, 2), [0; 0]);
    let (_, change) = Staged::take(&store, SINK, Epoch(3)).unwrap().remove(0);
    assert_eq!(print(&change), "3 a +1\n3 b -1\n");

    let all = Staged::bytes(&store, SINK).unwrap();
    assert!(all > 0 && all == 3 * (all / 3));
    let some = |bytes| Staged::take_within(&store, SINK, Epoch(300), bytes).unwrap().len();
    assert_eq!([some(1), some(all / 3), some(all / 3 + 1), some(all)], [1, 1, 2, 3]);

    write(&store, |w| Staged::remove(&store, SINK, Epoch(255), w).unwrap());
    assert_eq!(taken(&store, 300), [256]);
    write(&store, |w| Staged::remove(&store, SINK, Epoch(u64::MAX), w).unwrap());
    assert_eq!((taken(&store, 300), Staged::bytes(&store, SINK).unwrap()), (vec![], 0));
    assert_eq!(Staged::take(&store, OTHER, Epoch(300)).unwrap().len(), 2);
    assert_eq!(store.scan(Family::Blob, &[]).unwrap().len(), 2);
}

#[test]
fn a_prepared_commit_is_not_a_change() {
    let store = Store::memory();
    stage(&store, SINK, &[1]);
    write(&store, |w| Staged::put_prepared(SINK, b"files", w));
    assert_eq!(Staged::prepared(&store, SINK).unwrap(), Some(b"files".to_vec()));
    assert_eq!(Staged::prepared(&store, OTHER).unwrap(), None);
    write(&store, |w| {
        Staged::remove(&store, SINK, Epoch(u64::MAX), w).unwrap();
        Staged::put_prepared(SINK, b"other files", w);
    });
    assert_eq!((taken(&store, 9), Staged::prepared(&store, SINK).unwrap()), (vec![], Some(b"other files".to_vec())));
    write(&store, |w| Staged::remove_prepared(SINK, w));
    assert_eq!(Staged::prepared(&store, SINK).unwrap(), None);
}

#[test]
fn an_index_is_one_sinks() {
    let store = Store::memory();
    let set = |key: &str, value: &str| (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    write(&store, |w| {
        SinkIndex::apply(SINK, &[set("a", "1"), set("", "2"), set("b", "3")], w);
        SinkIndex::apply(OTHER, &[set("a", "9")], w);
    });
    write(&store, |w| SinkIndex::apply(SINK, &[set("a", "4"), (b"b".to_vec(), None)], w));
    let found = SinkIndex::get_many(&store, SINK, &["b", "a", ""]).unwrap();
    assert_eq!(found, [None, Some(b"4".to_vec()), Some(b"2".to_vec())]);

    stage(&store, SINK, &[1]);
    write(&store, |w| Staged::put_prepared(SINK, b"files", w));
    write(&store, |w| Staged::drop_sink(&store, SINK, w).unwrap());
    assert_eq!(SinkIndex::get_many(&store, SINK, &["a", ""]).unwrap(), [None, None]);
    assert_eq!((taken(&store, 9), Staged::prepared(&store, SINK).unwrap()), (vec![], None));
    assert_eq!(SinkIndex::get_many(&store, OTHER, &["a"]).unwrap(), [Some(b"9".to_vec())]);
}

#[test]
fn other_bytes_are_refused() {
    for (key, value) in [
        (change_key(SINK, Epoch(1)), vec![2, 0]),
        (change_key(SINK, Epoch(1)), vec![]),
        (tagged(SINK, CHANGES).to_vec(), vec![2; 17]),
        (change_key(SINK, Epoch(1)), vec![1; 17]),
        (change_key(SINK, Epoch(1)), vec![2; 17]),
    ] {
        let store = Store::memory();
        write(&store, |w| w.put(Family::Staged, key, value));
        assert!(matches!(Staged::take(&store, SINK, Epoch(9)), Err(StateError::Corrupted { .. })));
    }
}
