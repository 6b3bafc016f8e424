//! Traces of one number are one trace, keep their form, and go with their object.

use super::*;
use crate::state::Find;
use crate::types::SqlState;
use crate::zset::text::parse;

fn set() -> TraceSet {
    TraceSet::new(Arc::new(Store::memory()))
}

fn id(object: u32, slot: u16) -> TraceId {
    TraceId::new(ObjectId(object), slot)
}

fn checkpoint(set: &TraceSet) {
    let mut writes = Writes::new();
    set.dirty(&mut writes).unwrap();
    set.store().write(writes, true).unwrap();
}

#[test]
fn asking_again_gives_the_same_trace() {
    let set = set();
    let rows = parse("k int8, v text", "1 a +1");
    let first = set.trace(id(1, 0), rows.schema(), 1).unwrap();
    first.insert(&rows).unwrap();
    assert_eq!(set.trace(id(1, 0), rows.schema(), 1).unwrap().len(), 1);
    let renamed = parse("a int8, b text", "").schema();
    assert_eq!(set.trace(id(1, 0), renamed, 1).unwrap().len(), 1, "names are no part of the form");
    set.cells(id(1, 1)).unwrap().set(b"k", Some(b"v")).unwrap();
    assert_eq!(set.cells(id(1, 1)).unwrap().len(), 1);
}

#[test]
fn another_form_is_refused_in_memory_and_on_disk() {
    let set = set();
    let schema = parse("k int8, v text", "").schema();
    set.trace(id(1, 0), schema.clone(), 1).unwrap();
    set.cells(id(1, 1)).unwrap();
    checkpoint(&set);
    for set in [&set, &TraceSet::new(set.store().clone())] {
        let others = [
            set.trace(id(1, 0), schema.clone(), 2).map(drop),
            set.trace(id(1, 0), parse("k int4, v text", "").schema(), 1).map(drop),
            set.trace(id(1, 1), schema.clone(), 1).map(drop),
            set.cells(id(1, 0)).map(drop),
        ];
        for other in others {
            let error = other.unwrap_err();
            assert!(matches!(error, StateError::FormChanged { .. }), "{error}");
            assert_eq!(error.report().sqlstate, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        }
        assert!(set.trace(id(1, 0), schema.clone(), 1).is_ok() && set.cells(id(1, 1)).is_ok());
    }
    assert!(matches!(set.trace(id(1, 2), schema, 3), Err(StateError::Misuse(_))));
}

#[test]
fn an_object_goes_with_all_it_had_and_leaves_the_others() {
    let set = set();
    let rows = parse("k int8, v text", "1 a +1\n2 b +1");
    let numbers = [id(255, 0), id(256, 0), id(256, u16::MAX), id(257, 0)];
    for id in numbers {
        set.trace(id, rows.schema(), 1).unwrap().insert(&rows).unwrap();
    }
    checkpoint(&set);
    assert_eq!(set.usage(ObjectId(256)).entries, 4);
    assert!(set.usage(ObjectId(256)).bytes > 0);
    let mut writes = Writes::new();
    set.drop_object(ObjectId(256), &mut writes).unwrap();
    set.store().write(writes, true).unwrap();
    for set in [&set, &TraceSet::new(set.store().clone())] {
        let lengths = numbers.map(|id| set.trace(id, rows.schema(), 1).unwrap().len());
        assert_eq!(lengths, [2, 0, 0, 2]);
    }
    let other_form = TraceSet::new(set.store().clone()).trace(id(256, 0), rows.schema(), 2);
    assert!(other_form.is_ok(), "the form goes too");
}

#[test]
fn an_entry_that_is_no_weight_is_refused() {
    let set = set();
    let schema = parse("k int8", "").schema();
    set.trace(id(1, 0), schema.clone(), 1).unwrap();
    checkpoint(&set);
    for (key, value) in [(vec![0, 0, 0, 1, 0, 0, 0, 9], vec![1]), (vec![0, 0, 0, 1, 0, 0, 0, 9], vec![0; 9])] {
        let mut writes = Writes::new();
        writes.delete_prefix(Family::Trace, []);
        writes.put(Family::Trace, key, value);
        set.store().write(writes, true).unwrap();
        let loaded = TraceSet::new(set.store().clone()).trace(id(1, 0), schema.clone(), 1);
        let least = loaded.and_then(|trace| trace.least());
        assert!(matches!(least, Err(StateError::Corrupted { .. })), "{least:?}");
    }
}

#[test]
fn a_trace_made_after_its_object_was_forgotten_starts_empty_and_in_any_form() {
    let set = set();
    let rows = parse("k int8, v text", "1 a +1");
    set.trace(id(1, 0), rows.schema(), 1).unwrap().insert(&rows).unwrap();
    checkpoint(&set);
    let again = TraceSet::new(set.store().clone());
    let mut writes = Writes::new();
    again.drop_object(ObjectId(1), &mut writes).unwrap();
    let other = parse("k int8", "7 +1");
    let trace = again.trace(id(1, 0), other.schema(), 1).unwrap();
    assert!(trace.is_empty(), "what the store still has is not the new trace's");
    trace.insert(&other).unwrap();
    again.dirty(&mut writes).unwrap();
    again.store().write(writes, true).unwrap();
    assert_eq!(TraceSet::new(set.store().clone()).trace(id(1, 0), other.schema(), 1).unwrap().len(), 1);
}

#[test]
fn rows_that_are_in_the_store_alone_outlive_their_object_for_who_reads_them() {
    let set = set();
    let rows = parse("k int8, v text", "1 a +1\n2 b +1");
    let arranged = set.arrangement(id(7, 0), rows.schema(), &[0], Find::ByKey).unwrap();
    let growing = set.appended(id(7, 1), rows.schema()).unwrap();
    let records = set.records(id(7, 2), 8).unwrap();
    (0..1000u32).for_each(|n| assert_eq!(records.lock().insert(&n.to_be_bytes()), n));
    for _ in 0..2 {
        let many: String = (0..2000).map(|n| format!("{n} v +1\n")).collect();
        arranged.insert(&parse("k int8, v text", &many)).unwrap();
        growing.insert(&parse("k int8, v text", &many)).unwrap();
    }
    checkpoint(&set);
    set.evict_down_to(0).unwrap();
    assert!(set.usage(ObjectId(7)).evicted > 0);
    let (some, all) = (arranged.snapshot(), growing.snapshot());
    drop((arranged, growing, records));
    let mut writes = Writes::new();
    set.drop_object(ObjectId(7), &mut writes).unwrap();
    set.store().write(writes, true).unwrap();
    checkpoint(&set);
    let left = || set.store().scan(Family::Blob, &[]).unwrap().len();
    assert_eq!(some.chunks(100, None).map(|chunk| chunk.unwrap().len()).sum::<usize>(), 2000);
    assert_eq!(all.chunks(100, None).map(|chunk| chunk.unwrap().len()).sum::<usize>(), 4000);
    assert!(left() > 0);
    // A process that ends now leaves it to the next one.
    let next = TraceSet::new(set.store().clone());
    assert_eq!(next.appended(id(7, 1), rows.schema()).unwrap().len(), 0, "the object itself is gone");
    drop((some, all));
    checkpoint(&set);
    assert_eq!(left(), 0);
    assert!(set.store().scan(Family::Meta, b"dead/").unwrap().is_empty());
}

#[test]
fn what_a_process_left_dead_is_deleted_by_the_next() {
    let set = set();
    let rows = parse("k int8", &(0..3000).map(|n| format!("{n} +1\n")).collect::<String>());
    set.appended(id(7, 0), rows.schema()).unwrap().insert(&rows).unwrap();
    set.appended(id(7, 0), rows.schema()).unwrap().insert(&rows).unwrap();
    // Of these the next process does not know that they were records.
    let records = set.records(id(7, 1), 8).unwrap();
    (0..1000u32).for_each(|n| assert_eq!(records.lock().insert(&n.to_be_bytes()), n));
    checkpoint(&set);
    set.evict_down_to(0).unwrap();
    let held = set.appended(id(7, 0), rows.schema()).unwrap();
    let mut writes = Writes::new();
    set.drop_object(ObjectId(7), &mut writes).unwrap();
    set.store().write(writes, true).unwrap();
    let next = TraceSet::new(set.store().clone());
    checkpoint(&next);
    assert!(next.store().scan(Family::Blob, &[]).unwrap().is_empty());
    drop(held);
}
