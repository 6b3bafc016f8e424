//! Files that grow, appear, end and are read again.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::FileSource;
use crate::sources::error::SourceError;
use crate::sources::side_by_side::Reading;
use crate::sources::source::{Budget, Source};
use crate::sources::testing::{budget, drain, flat, parse, schema};
use crate::types::{Offsets, Projection};

fn source(pattern: &Path, options: &[(&str, &str)]) -> FileSource {
    let pattern = pattern.to_string_lossy();
    let mut with = vec![("connector", "file"), ("path", pattern.as_ref())];
    with.extend(options);
    let spec = parse(&with, "plain", schema("id int4, name text", &[])).unwrap();
    FileSource::new(&spec, &Reading::everything(&spec)).unwrap()
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// File by file the rows and then the dead, each in order: how a stretch is cut decides only how the two interleave.
fn apart(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_by_key(|line| line.split(": ").next().map(|file| (file.to_string(), line.contains(": dead "))));
    lines
}

/// What comes, without the path of the file.
fn ids(source: &mut FileSource) -> Vec<String> {
    flat(&drain(source, budget(1000, 1 << 20))).into_iter().map(|line| line.rsplit(": ").next().unwrap().to_string()).collect()
}

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.jsonl");
    (directory, file)
}

#[test]
fn a_line_counts_once_its_newline_is_there() {
    let (_directory, file) = directory();
    append(&file, "{\"id\":1}\n\n  \n{\"id\":2}\r\n{\"id\":");
    let mut source = source(&file, &[]);
    let start = source.start().unwrap();
    source.resume(&start, None).unwrap();
    assert_eq!(ids(&mut source), ["Insert 1 NULL", "Insert 2 NULL"]);
    assert_eq!(source.ends().unwrap().0.into_values().next(), Some(23));
    append(&file, "3}");
    assert_eq!(ids(&mut source), [""; 0]);
    append(&file, "\n");
    assert_eq!(ids(&mut source), ["Insert 3 NULL"]);
    assert!(!source.finished());
}

#[test]
fn a_complete_file_ends_its_last_line_and_the_source() {
    let (_directory, file) = directory();
    append(&file, "{\"id\":1}\n{\"id\":2}");
    let mut source = source(&file, &[("follow", "false")]);
    source.resume(&Offsets::default(), None).unwrap();
    let batches = drain(&mut source, budget(1000, 1 << 20));
    assert_eq!(flat(&batches).len(), 2);
    assert_eq!(batches.last().map(|b| b.next), Some(17));
    assert_eq!(source.ends().unwrap().0.into_values().next(), Some(17));
    assert!(source.finished());
}

#[test]
fn new_files_of_the_glob_are_found() {
    let (directory, file) = directory();
    append(&file, "{\"id\":1}\n");
    let mut source = source(&directory.path().join("*.jsonl"), &[]);
    source.resume(&Offsets::default(), None).unwrap();
    assert_eq!(ids(&mut source), ["Insert 1 NULL"]);
    append(&directory.path().join("b.jsonl"), "{\"id\":2}\n");
    append(&directory.path().join("c.other"), "{\"id\":3}\n");
    let patient = Budget { wait: Duration::from_secs(20), ..budget(10, 1 << 20) };
    assert_eq!(flat(&source.poll(patient).unwrap()).len(), 1);
    assert_eq!(source.ends().unwrap().0.len(), 2);
}

#[test]
fn a_file_that_comes_later_has_no_end_where_it_is_not_read() {
    let (directory, file) = directory();
    append(&file, "{\"id\":1}\n");
    for follow in ["true", "false"] {
        let mut source = source(&directory.path().join("*.jsonl"), &[("follow", follow)]);
        source.resume(&Offsets::default(), None).unwrap();
        drain(&mut source, budget(10, 1000));
        let later = directory.path().join("later.jsonl");
        append(&later, "{\"id\":2}\n");
        assert_eq!(source.ends().unwrap().0.len(), if follow == "true" { 2 } else { 1 }, "follow {follow}");
        std::fs::remove_file(later).unwrap();
    }
}

#[test]
fn a_stretch_comes_again_as_it_was() {
    let (directory, file) = directory();
    let other = directory.path().join("b.jsonl");
    for i in 0..500 {
        append(&file, &format!("{{\"id\":{i},\"name\":\"{}\"}}\n", "x".repeat(i % 50)));
        append(&other, if i % 7 == 0 { "not json\n" } else { "{\"id\":-1}\n" });
    }
    append(&other, "{\"id\":77}");
    let pattern = directory.path().join("*.jsonl");
    for follow in ["true", "false"] {
        let mut source = source(&pattern, &[("follow", follow)]);
        source.resume(&Offsets::default(), None).unwrap();
        let mut at = Offsets::default();
        let mut cuts = Vec::new();
        loop {
            let batches = source.poll(budget(37, 1500)).unwrap();
            if batches.is_empty() {
                break;
            }
            let before = at.clone();
            batches.iter().for_each(|batch| at.set(batch.partition.clone(), batch.next));
            cuts.push((before, at.clone(), flat(&batches)));
        }
        assert_eq!(at, source.ends().unwrap());
        assert_eq!(cuts.iter().map(|(_, _, lines)| lines.len()).sum::<usize>(), if follow == "true" { 1000 } else { 1001 });
        for (before, after, lines) in &cuts {
            source.resume(before, Some(after)).unwrap();
            assert_eq!(apart(flat(&drain(&mut source, budget(11, 333)))), apart(lines.clone()));
        }
        // All of it in one stretch, and then on from there.
        source.resume(&Offsets::default(), Some(&at)).unwrap();
        let all: Vec<String> = cuts.into_iter().flat_map(|(_, _, lines)| lines).collect();
        assert_eq!(apart(flat(&drain(&mut source, budget(1000, 1 << 20)))), apart(all));
        source.resume(&at, None).unwrap();
        assert_eq!(ids(&mut source), [""; 0]);
    }
}

#[test]
fn a_file_that_was_cut_replaced_or_removed_is_lost() {
    for damage in [
        |file: &Path| fs::write(file, "{}\n").unwrap(),
        |file: &Path| {
            let text = fs::read(file).unwrap();
            fs::remove_file(file).unwrap();
            append(&file.with_extension("keeps-the-inode"), "x");
            append(file, &String::from_utf8(text).unwrap());
        },
        |file: &Path| fs::remove_file(file).unwrap(),
    ] {
        let (_directory, file) = directory();
        append(&file, "{\"id\":1}\n{\"id\":2}\n");
        let mut source = source(&file, &[]);
        source.resume(&Offsets::default(), None).unwrap();
        let next = drain(&mut source, budget(1000, 1 << 20)).last().unwrap().next;
        damage(&file);
        assert!(matches!(source.poll(budget(1000, 1 << 20)), Err(SourceError::Lost { .. })));
        let mut from = Offsets::default();
        from.set(file.to_string_lossy(), next + 1);
        assert!(matches!(source.resume(&from, None), Err(SourceError::Lost { .. })));
    }
}

#[test]
fn a_line_over_the_limit_is_dead_and_passed() {
    let (_directory, file) = directory();
    let long = format!("{{\"id\":1,\"name\":\"{}\"}}", "x".repeat(3 << 20));
    append(&file, &format!("{{\"id\":0}}\n{long}\n{{\"id\":2}}\n"));
    for limit in ["1000", "2097152"] {
        let mut source = source(&file, &[("max.record.bytes", limit)]);
        source.resume(&Offsets::default(), None).unwrap();
        let batches = drain(&mut source, budget(1000, 1 << 20));
        let lines = flat(&batches);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains(&format!("dead 9 larger than {limit} bytes")), "{}", lines[1]);
        let dead: Vec<_> = batches.iter().flat_map(|b| &b.dead).collect();
        assert!(dead[0].raw.len() <= 64 * 1024 && dead[0].raw.starts_with(b"{\"id\":1,"));
    }
    // Under the limit, and longer than one block.
    let mut source = source(&file, &[]);
    source.resume(&Offsets::default(), None).unwrap();
    let batches = drain(&mut source, budget(1000, 100));
    assert_eq!(batches.iter().map(|b| b.changes.len()).sum::<usize>(), 3);
    // Its end may be far away, or not written yet.
    append(&file, &"y".repeat(5000));
    let mut source = self::source(&file, &[("max.record.bytes", "1000")]);
    let ends = source.ends().unwrap();
    source.resume(&ends, None).unwrap();
    assert_eq!(ids(&mut source), [""; 0]);
    append(&file, "y\n{\"id\":4}\n");
    let lines = ids(&mut source);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.contains(&"Insert 4 NULL".to_string()) && lines.iter().any(|l| l.starts_with("dead ")), "{lines:?}");
}

#[test]
fn a_missing_file_may_come_a_missing_directory_may_not() {
    let (directory, file) = directory();
    let mut following = source(&file, &[]);
    let start = following.start().unwrap();
    following.resume(&start, None).unwrap();
    assert_eq!(ids(&mut following), [""; 0]);
    assert!(source(&directory.path().join("no/such.jsonl"), &[]).start().is_err());
    let report = source(&file, &[("follow", "false")]).start().unwrap_err().report();
    assert_eq!((report.sqlstate.0, report.message), ("42704", format!("file \"{}\" does not exist", file.display())));
}

#[test]
fn wrapped_lines_carry_keys_and_headers() {
    let (_directory, file) = directory();
    append(
        &file,
        concat!(
            r#"{"key":{"id":1},"value":{"before":null,"after":{"id":1,"name":"a"},"op":"c"},"headers":{}}"#,
            "\n",
            r#"{"key":{"id":1},"value":{"before":null,"after":null,"op":"d"},"headers":{"__debezium.newkey":{"id":2}}}"#,
            "\n",
            r#"{"key":{"id":1},"value":null}"#,
            "\n",
            r#"{"key":{"id":2},"value":{"after":{"id":2,"name":"__debezium_unavailable_value"},"op":"c"},"headers":{"__debezium.oldkey":"{\"id\":1}"}}"#,
            "\n",
            r#"{"after":{"id":3,"name":"b"},"op":"c"}"#,
            "\n",
            r#"{"key":{"id":4},"op":"c"}"#,
            "\n",
        ),
    );
    let path = file.to_string_lossy();
    let spec = parse(&[("connector", "file"), ("path", &path)], "debezium", schema("id int4, name text", &["id"])).unwrap();
    let mut source = FileSource::new(&spec, &Reading::everything(&spec)).unwrap();
    source.resume(&Offsets::default(), None).unwrap();
    let batches = source.poll(budget(100, 1 << 20)).unwrap();
    let [batch] = batches.as_slice() else { panic!("one batch") };
    assert_eq!(crate::sources::testing::lines(&batch.changes), ["Upsert 1 a", "Delete 1 NULL", "Upsert 2 NULL", "Upsert 3 b"]);
    assert_eq!(batch.changes.moved, [1, 2]);
    assert_eq!(crate::sources::testing::texts(batch.changes.moved_keys.as_ref().unwrap()), [["2"], ["1"]]);
    assert!(batch.changes.unchanged[1].as_ref().unwrap().value(2));
    assert_eq!((batch.records, batch.dead.len()), (6, 1));
}

/// However many threads decode, and whatever of the columns is read: the same changes, dead letters and offsets, in order.
#[test]
fn threads_change_nothing() {
    let (_directory, file) = directory();
    let line = |i: usize| match i % 97 {
        0 => "not json".to_string(),
        1 => format!("{{\"name\":\"{i}\",\"id\":{i}}}"),
        2 => String::new(),
        _ => format!("{{\"id\":{i},\"name\":\"{}\"}}", "x".repeat(i % 200)),
    };
    let text: String = (0..20_000).map(|i| line(i) + "\n").collect();
    fs::write(&file, &text).unwrap();
    let path = file.to_string_lossy();
    let spec = parse(&[("connector", "file"), ("path", &path)], "plain", schema("id int4, name text", &[])).unwrap();
    let read = |threads: usize, columns: Projection| {
        let mut source = FileSource::new(&spec, &Reading { columns, threads }).unwrap();
        source.resume(&Offsets::default(), None).unwrap();
        let batches = drain(&mut source, budget(65_536, 8 << 20));
        let ends: Vec<i64> = batches.iter().map(|batch| batch.next).collect();
        assert!(ends.is_sorted());
        assert_eq!(ends.last(), Some(&(text.len() as i64)));
        let lines = text.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(batches.iter().map(|batch| batch.records).sum::<usize>(), lines);
        (batches.len(), apart(flat(&batches)))
    };
    let (pieces, alone) = read(1, Projection::everything(2));
    for threads in [2, 3, 5] {
        let (more, together) = read(threads, Projection::everything(2));
        assert!(more > pieces, "{more} pieces for {threads} threads");
        assert_eq!(together, alone);
    }
    let mut ids = Projection::nothing(2);
    ids.add(0);
    let without_names: Vec<String> = alone
        .iter()
        .map(|line| match line.contains(": dead ") {
            true => line.clone(),
            false => format!("{} NULL", line.rsplit_once(' ').unwrap().0),
        })
        .collect();
    assert_eq!(read(2, ids).1, without_names);
}

/// Events of several kinds in one file, each in a struct of its own: all of them come, those of a kind together.
#[test]
fn events_of_several_kinds_come_apart_and_none_is_lost() {
    let (_directory, file) = directory();
    let line = |i: usize| match i % 10 {
        0 => format!("{{\"kind\":0,\"a\":{{\"x\":{i}}}}}"),
        1 => format!("{{\"a\":{{\"x\":{i}}},\"kind\":0}}"),
        2 => format!("{{\"kind\":2,\"a\":{{\"x\":{i}}},\"b\":{{\"y\":\"{i}\"}}}}"),
        _ => format!("{{\"kind\":1,\"b\":{{\"y\":\"{}\"}}}}", "y".repeat(i % 90)),
    };
    let text: String = (0..20_000).map(|i| line(i) + "\n").collect();
    fs::write(&file, text).unwrap();
    let path = file.to_string_lossy();
    let relation = schema("kind int4, a struct<x:int8>, b struct<y:text>", &[]);
    let spec = parse(&[("connector", "file"), ("path", &path)], "plain", relation).unwrap();
    let read = |threads: usize| {
        let mut source = FileSource::new(&spec, &Reading { columns: Projection::everything(3), threads }).unwrap();
        source.resume(&Offsets::default(), None).unwrap();
        let batches = drain(&mut source, budget(65_536, 8 << 20));
        assert!(batches.iter().all(|batch| batch.changes.len() == batch.records));
        let apart = batches.iter().flat_map(|batch| &batch.changes.apart);
        assert!(apart.map(|rows| rows.num_rows()).sum::<usize>() > 17_000);
        let mut lines = flat(&batches);
        lines.sort();
        lines
    };
    let alone = read(1);
    assert_eq!(alone.len(), 20_000);
    assert_eq!(alone.iter().filter(|line| line.contains("Insert 0 {x: ")).count(), 4000);
    for threads in [2, 3] {
        assert_eq!(read(threads), alone);
    }
}
