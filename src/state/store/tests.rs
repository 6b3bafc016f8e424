//! Both stores do the same; a directory keeps what was written and keeps others out; a failed write closes the store.

use std::fs;
use std::path::Path;

use super::*;
use crate::types::SqlState;

fn put(writes: &mut Writes, family: Family, pairs: &[(&str, &str)]) {
    pairs.iter().for_each(|(key, value)| writes.put(family, *key, *value));
}

fn write(store: &Store, fill: impl FnOnce(&mut Writes)) {
    let mut writes = Writes::new();
    fill(&mut writes);
    store.write(writes, true).unwrap();
}

fn keys(store: &Store, family: Family, prefix: &str) -> String {
    let found = store.scan(family, prefix.as_bytes()).unwrap();
    found.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>().join(" ")
}

fn on_both(check: impl Fn(&Store)) {
    check(&Store::memory());
    let dir = tempfile::tempdir().unwrap();
    check(&Store::open(dir.path()).unwrap());
}

fn sqlstate_of_open(dir: &Path) -> (SqlState, String) {
    let report = Store::open(dir).unwrap_err().report();
    assert!(report.hint.is_some(), "{report}");
    (report.sqlstate, report.message)
}

#[test]
fn families_are_apart_and_keys_are_in_order() {
    on_both(|store| {
        write(store, |w| {
            put(w, Family::Trace, &[("b", "2"), ("ab", "1"), ("a", "0"), ("ac", "3")]);
            put(w, Family::Index, &[("a", "other")]);
        });
        assert_eq!(store.get(Family::Trace, b"a").unwrap(), Some(b"0".to_vec()));
        assert_eq!(store.get(Family::Index, b"b").unwrap(), None);
        let many = store.get_many(Family::Trace, &["b", "no", "a"]).unwrap();
        assert_eq!(many, [Some(b"2".to_vec()), None, Some(b"0".to_vec())]);
        assert_eq!(keys(store, Family::Trace, ""), "a ab ac b");
        assert_eq!(keys(store, Family::Trace, "a"), "a ab ac");
        assert_eq!(store.last(Family::Trace).unwrap(), Some((b"b".to_vec(), b"2".to_vec())));
        assert_eq!(store.last(Family::Journal).unwrap(), None);
    });
}

#[test]
fn later_steps_win() {
    on_both(|store| {
        write(store, |w| put(w, Family::Trace, &[("a1", ""), ("a2", ""), ("b", "")]));
        write(store, |w| {
            put(w, Family::Trace, &[("a3", "")]);
            w.delete_prefix(Family::Trace, "a");
            put(w, Family::Trace, &[("a2", "again"), ("c", "")]);
            w.delete(Family::Trace, "c");
        });
        assert_eq!(keys(store, Family::Trace, ""), "a2 b");
        assert_eq!(store.get(Family::Trace, b"a2").unwrap(), Some(b"again".to_vec()));
    });
}

#[test]
fn ranges_end_where_they_should() {
    on_both(|store| {
        write(store, |w| {
            put(w, Family::Trace, &[("a", ""), ("b", ""), ("c", ""), ("d", "")]);
            w.put(Family::Trace, [0xff, 0xff], "");
            w.put(Family::Trace, [0xff, 0xff, 0xff, 1], "");
        });
        write(store, |w| {
            w.delete_range(Family::Trace, "b", "d");
            w.delete_range(Family::Trace, "d", "d");
            w.delete_prefix(Family::Trace, [0xff, 0xff]);
        });
        assert_eq!(keys(store, Family::Trace, ""), "a d");
        write(store, |w| w.delete_prefix(Family::Trace, ""));
        assert_eq!(keys(store, Family::Trace, ""), "");
        write(store, |w| w.delete_prefix(Family::Trace, ""));
    });
}

#[test]
fn a_visit_ends_when_told_and_at_an_error() {
    on_both(|store| {
        write(store, |w| put(w, Family::Trace, &[("a", ""), ("b", ""), ("c", "")]));
        let mut seen = 0;
        let visited = store.scan_while(Family::Trace, b"", &mut |key, _| {
            seen += 1;
            Ok(if key == b"b" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        assert!(visited.is_ok() && seen == 2);
        let failed = store.scan_with(Family::Trace, b"", &mut |_, _| Err(StateError::corrupted("test")));
        assert!(matches!(failed, Err(StateError::Corrupted { .. })));
    });
}

#[test]
fn a_directory_keeps_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/on/demand");
    {
        let store = Store::open(&path).unwrap();
        write(&store, |w| put(w, Family::Catalog, &[("k", "v")]));
        let mut unsynced = Writes::new();
        unsynced.put(Family::Staged, "s", "t");
        store.write(unsynced, false).unwrap();
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(store.get(Family::Catalog, b"k").unwrap(), Some(b"v".to_vec()));
    assert_eq!(store.get(Family::Staged, b"s").unwrap(), Some(b"t".to_vec()));
    assert_eq!(store.get(Family::Meta, FORMAT_KEY).unwrap(), Some(vec![7, 1]), "the golden format of this version");
}

#[test]
fn the_second_opener_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let (sqlstate, message) = sqlstate_of_open(dir.path());
    assert_eq!(sqlstate, SqlState::OBJECT_IN_USE);
    assert_eq!(message, format!("state directory \"{}\" is in use by another floe", dir.path().display()));
    write(&first, |w| put(w, Family::Meta, &[("the first", "goes on")]));
    drop(first);
    Store::open(dir.path()).unwrap();
}

#[test]
fn an_older_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(&Store::open(dir.path()).unwrap(), |w| w.put(Family::Meta, FORMAT_KEY, [FORMAT - 2, row_codec::FORMAT]));
    let report = Store::open(dir.path()).unwrap_err().report();
    assert_eq!(report.message, format!("state directory \"{}\" was written by an older floe", dir.path().display()));
    assert_eq!(report.detail.unwrap(), "The directory has format 5.1; this floe reads formats 6.1 and 7.1 alone.");
}

#[test]
fn the_format_before_is_read_and_becomes_this_one() {
    let dir = tempfile::tempdir().unwrap();
    write(&Store::open(dir.path()).unwrap(), |w| {
        w.put(Family::Meta, FORMAT_KEY, [6, row_codec::FORMAT]);
        put(w, Family::Catalog, &[("k", "v")]);
    });
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get(Family::Catalog, b"k").unwrap(), Some(b"v".to_vec()));
    assert_eq!(store.get(Family::Meta, FORMAT_KEY).unwrap(), Some(vec![FORMAT, row_codec::FORMAT]));
}

#[test]
fn a_newer_format_is_refused() {
    for newer in [[FORMAT + 1, 1], [FORMAT, row_codec::FORMAT + 1]] {
        let dir = tempfile::tempdir().unwrap();
        write(&Store::open(dir.path()).unwrap(), |w| w.put(Family::Meta, FORMAT_KEY, newer));
        let (sqlstate, message) = sqlstate_of_open(dir.path());
        assert_eq!(sqlstate, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        assert!(message.ends_with("was written by a newer floe"), "{message}");
    }
    let dir = tempfile::tempdir().unwrap();
    write(&Store::open(dir.path()).unwrap(), |w| w.put(Family::Meta, FORMAT_KEY, []));
    assert_eq!(sqlstate_of_open(dir.path()).0, SqlState::DATA_CORRUPTED);
}

#[test]
fn a_strange_directory_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    assert_eq!(sqlstate_of_open(dir.path()).0, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let other = tempfile::tempdir().unwrap();
    {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        rocksdb::DB::open(&options, other.path()).unwrap().put("their", "data").unwrap();
    }
    assert_eq!(sqlstate_of_open(other.path()).0, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), other.path()).unwrap();
    assert_eq!(families, ["default"], "nothing was added to their database");
}

#[test]
fn data_without_a_format_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    write(&Store::open(dir.path()).unwrap(), |w| {
        put(w, Family::Trace, &[("k", "v")]);
        w.delete(Family::Meta, FORMAT_KEY);
    });
    assert_eq!(sqlstate_of_open(dir.path()).0, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
}

#[test]
fn a_start_that_was_cut_short_is_done_again() {
    let bare = tempfile::tempdir().unwrap();
    ["LOCK", "LOG", "LOG.old.17", "000001.dbtmp", "MANIFEST-000001"].iter().for_each(|name| fs::write(bare.path().join(name), "").unwrap());
    Store::open(bare.path()).unwrap();

    let half = tempfile::tempdir().unwrap();
    {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        rocksdb::DB::open_cf(&options, half.path(), ["meta", "trace"]).unwrap();
    }
    Store::open(half.path()).unwrap();

    let empty = tempfile::tempdir().unwrap();
    {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        rocksdb::DB::open(&options, empty.path()).unwrap();
    }
    Store::open(empty.path()).unwrap();
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let (sqlstate, message) = sqlstate_of_open(&path);
        assert_eq!(sqlstate, SqlState::IO_ERROR);
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}

#[test]
fn a_flipped_byte_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(&Store::open(dir.path()).unwrap(), |w| put(w, Family::Catalog, &[("k", &"value ".repeat(1000))]));
    // Opening moves the log into tables; closing leaves one with the value.
    drop(Store::open(dir.path()).unwrap());
    let tables = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let tables: Vec<_> = tables.filter(|path| path.extension().is_some_and(|extension| extension == "sst")).collect();
    assert!(!tables.is_empty());
    for table in tables {
        let mut bytes = fs::read(&table).unwrap();
        bytes[10] ^= 0x40;
        fs::write(&table, bytes).unwrap();
    }
    let read = Store::open(dir.path()).and_then(|store| store.get(Family::Catalog, b"k"));
    assert_eq!(read.unwrap_err().report().sqlstate, SqlState::DATA_CORRUPTED);
}

#[test]
fn a_failed_write_closes_the_store() {
    let store = Store::memory_failing_after(1);
    write(&store, |w| put(w, Family::Trace, &[("a", "")]));
    let writes = || {
        let mut writes = Writes::new();
        put(&mut writes, Family::Trace, &[("b", "")]);
        writes
    };
    assert_eq!(store.write(writes(), true).unwrap_err().report().sqlstate, SqlState::DISK_FULL);
    assert!(store.is_poisoned());
    let refusals = [
        store.get(Family::Trace, b"a").map(drop),
        store.get_many(Family::Trace, &["a"]).map(drop),
        store.scan(Family::Trace, b"").map(drop),
        store.last(Family::Trace).map(drop),
        store.write(writes(), false),
        store.write(Writes::new(), false),
    ];
    for refusal in refusals {
        let report = refusal.unwrap_err().report();
        assert_eq!(report.message, "state is closed because an earlier write failed");
        assert_eq!((report.sqlstate, report.hint.is_some()), (SqlState::DISK_FULL, true));
    }
}

#[test]
fn writes_know_their_size() {
    let mut writes = Writes::new();
    assert!(writes.is_empty() && writes.bytes() == 0);
    writes.put(Family::Meta, "abc", "de");
    writes.delete(Family::Meta, "fg");
    let mut later = Writes::new();
    later.delete_range(Family::Meta, "h", "i");
    writes.append(later);
    assert_eq!((writes.is_empty(), writes.bytes()), (false, 9));
}
