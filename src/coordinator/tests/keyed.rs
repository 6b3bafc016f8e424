//! Keyed sources of which views read some columns: views that come later and read others, placeholders and key changes,
//! sinks of the source itself, restarts. Rows are kept whole, whatever is read of their changes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Floe;
use crate::zset::ZSet;
use crate::zset::text::print;

const PLACEHOLDER: &str = "__debezium_unavailable_value";

/// By id: the other columns of `items`.
type Items = BTreeMap<i64, (i64, String, String)>;

/// A change log, and what the table is after it.
struct Log {
    items: Items,
    random: SmallRng,
    next: i64,
}

impl Log {
    fn new() -> Log {
        Log { items: Items::new(), random: SmallRng::seed_from_u64(7), next: 1 }
    }

    /// Appends changes of all kinds.
    fn write(&mut self, folder: &Path, changes: usize) {
        let mut lines = Vec::new();
        for _ in 0..changes {
            let ids: Vec<i64> = self.items.keys().copied().collect();
            let old = if ids.is_empty() { None } else { Some(ids[self.random.random_range(0..ids.len())]) };
            let (a, b) = (self.random.random_range(0..50), format!("b{}", self.random.random_range(0..4)));
            let row = |id: i64, big: &str| format!(r#"{{"id":{id},"a":{a},"b":"{b}","big":"{big}"}}"#);
            let line = |before: &str, after: &str, op: &str| format!(r#"{{"before":{before},"after":{after},"op":"{op}"}}"#);
            let key = |id: i64| format!(r#"{{"id":{id}}}"#);
            match (self.random.random_range(0..10), old) {
                (0 | 1, Some(id)) => {
                    self.items.remove(&id);
                    writeln!(lines, "{}", line(&row(id, ""), "null", "d")).unwrap();
                }
                (2 | 3, Some(id)) => {
                    // The key changes, and the large column is left out.
                    let (to, (_, _, big)) = (self.next, self.items.remove(&id).unwrap());
                    self.next += 1;
                    let gone = line(&row(id, ""), "null", "d");
                    let come = line("null", &row(to, PLACEHOLDER), "c");
                    let headers = |name: &str, id| format!(r#"{{"{name}":{}}}"#, key(id));
                    let wrapped = |id, value: &str, headers: &str| format!(r#"{{"key":{},"value":{value},"headers":{headers}}}"#, key(id));
                    let gone = wrapped(id, &gone, &headers("__debezium.newkey", to));
                    let come = wrapped(to, &come, &headers("__debezium.oldkey", id));
                    let both = if self.random.random_bool(0.5) { [gone, come] } else { [come, gone] };
                    both.iter().for_each(|line| writeln!(lines, "{line}").unwrap());
                    self.items.insert(to, (a, b.clone(), big));
                }
                (4..7, Some(id)) => {
                    writeln!(lines, "{}", line("null", &row(id, PLACEHOLDER), "u")).unwrap();
                    let big = self.items[&id].2.clone();
                    self.items.insert(id, (a, b.clone(), big));
                }
                _ => {
                    let (id, big) = (self.next, format!("big{}", self.next));
                    self.next += 1;
                    writeln!(lines, "{}", line("null", &row(id, &big), "c")).unwrap();
                    self.items.insert(id, (a, b.clone(), big));
                }
            }
        }
        OpenOptions::new().create(true).append(true).open(folder.join("items.jsonl")).unwrap().write_all(&lines).unwrap();
    }

    fn rows(&self) -> Vec<String> {
        sorted(self.items.iter().map(|(id, (a, b, big))| format!("{id}|{a}|{b}|{big}")))
    }

    /// What the view of that name holds.
    fn expected(&self, view: &str) -> Vec<String> {
        let rows = self.items.iter();
        match view {
            "counted" => vec![rows.count().to_string()],
            "of_a" => {
                let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
                for (_, (a, b, _)) in rows {
                    let (n, sum) = sums.entry(b).or_default();
                    (*n, *sum) = (*n + 1, *sum + a);
                }
                sorted(sums.iter().map(|(b, (n, sum))| format!("{b}|{n}|{sum}")))
            }
            "of_big" => sorted(rows.filter(|(_, (a, ..))| a % 2 == 0).map(|(id, (_, _, big))| format!("{big}|{id}"))),
            "joined" => sorted(rows.filter_map(|(id, (a, _, big))| self.items.get(a).map(|(_, b, _)| format!("{id}|{big}|{b}")))),
            _ => self.rows(),
        }
    }
}

const VIEWS: &[(&str, &str)] = &[
    ("counted", "SELECT count(*) AS n FROM items"),
    ("of_a", "SELECT b, count(*) AS n, sum(a)::bigint AS total FROM items GROUP BY b"),
    ("of_big", "SELECT big, id FROM items WHERE a % 2 = 0"),
    ("joined", "SELECT l.id, l.big, r.b FROM items l JOIN items r ON l.a = r.id"),
    ("whole", "SELECT * FROM items"),
];

fn sorted(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

fn source(folder: &Path) -> String {
    let path = folder.join("items.jsonl");
    let columns = "id BIGINT, a BIGINT, b TEXT, big TEXT, PRIMARY KEY (id)";
    format!("CREATE SOURCE items ({columns}) WITH (connector = 'file', path = '{}') FORMAT DEBEZIUM ENCODE JSON", path.display())
}

async fn check(floe: &Floe, log: &Log, views: &[&str]) {
    floe.sql("FLUSH").await;
    assert_eq!(floe.sql("SELECT * FROM items").await, log.rows());
    for view in views {
        assert_eq!(floe.sql(&format!("SELECT * FROM {view}")).await, log.expected(view), "{view}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_come_later_read_what_earlier_ones_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let mut log = Log::new();
    let floe = Floe::open(&data).await;
    log.write(folder, 50);
    floe.sql(&source(folder)).await;
    let mut views = Vec::new();
    for (name, text) in VIEWS {
        for _ in 0..4 {
            log.write(folder, 40);
            check(&floe, &log, &views).await;
        }
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}")).await;
        views.push(*name);
        check(&floe, &log, &views).await;
    }
    // One row by its key, of a source whose changes are read in part.
    let (id, (a, b, big)) = log.items.iter().next().unwrap();
    assert_eq!(floe.sql(&format!("SELECT big, a, b FROM items WHERE id = {id}")).await, [format!("{big}|{a}|{b}")]);
    while views.len() > 1 {
        floe.sql(&format!("DROP MATERIALIZED VIEW {}", views.pop().unwrap())).await;
        log.write(folder, 40);
        check(&floe, &log, &views).await;
    }
    floe.sql("DROP MATERIALIZED VIEW counted").await;
    log.write(folder, 40);
    check(&floe, &log, &[]).await;
    floe.close().await;

    // After a restart, with what was written meanwhile.
    log.write(folder, 100);
    let floe = Floe::open(&data).await;
    check(&floe, &log, &[]).await;
    floe.sql(&format!("CREATE MATERIALIZED VIEW of_big AS {}", VIEWS[2].1)).await;
    log.write(folder, 100);
    check(&floe, &log, &["of_big"]).await;
    assert_eq!(floe.sql("SELECT dead_letters FROM floe_sources").await, ["0"]);
    floe.close().await;
}

/// Changes that only the journal has make the same again.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_gives_views_what_they_read() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let mut log = Log::new();
    log.write(folder, 50);
    let config = super::CoordinatorConfig { checkpoint_interval: std::time::Duration::from_secs(3600), ..Default::default() };
    let floe = Floe::open_with(config, &data).await;
    floe.sql(&source(folder)).await;
    for (name, text) in &VIEWS[..3] {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}")).await;
    }
    let views = ["counted", "of_a", "of_big"];
    for _ in 0..15 {
        log.write(folder, 30);
        check(&floe, &log, &views).await;
    }
    // What a crash leaves: a copy of the state directory as it is now.
    let copy = folder.join("copy");
    assert!(std::process::Command::new("cp").arg("-r").arg(&data).arg(&copy).status().unwrap().success());
    let _ = std::fs::remove_file(copy.join("LOCK"));
    let after = Floe::open(&copy).await;
    log.write(folder, 30);
    check(&after, &log, &views).await;
    after.close().await;
    floe.close().await;
}

/// A sink of the source itself gets whole rows, and is told of every change, also of what no view reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_of_the_source_gets_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let mut log = Log::new();
    let floe = Floe::open(&data).await;
    log.write(folder, 60);
    floe.sql(&source(folder)).await;
    floe.sql(&format!("CREATE MATERIALIZED VIEW counted AS {}", VIEWS[0].1)).await;
    log.write(folder, 60);
    floe.sql("FLUSH").await;
    floe.sql(&format!(
        "CREATE SINK lake FROM items WITH (connector = 'iceberg', type = 'upsert', primary_key = 'id', catalog.type = 'sql', \
         catalog.uri = 'sqlite:{0}/catalog.db', warehouse.path = '{0}/warehouse', database.name = 'd', table.name = 't', \
         create_table_if_not_exists = 'true', commit_interval = '5 ms')",
        folder.display()
    ))
    .await;
    for _ in 0..5 {
        log.write(folder, 60);
        check(&floe, &log, &["counted"]).await;
    }
    floe.sql("CHECKPOINT").await;
    assert_eq!(floe.sql("SELECT stopped, error FROM floe_sinks").await, ["false|NULL"]);
    let landed = landed(folder);
    let missing: Vec<String> = log.rows().into_iter().filter(|row| !landed.contains(row)).collect();
    assert!(missing.is_empty() && !landed.iter().any(|row| row.contains("NULL")), "{missing:?} of {landed:?}");
    floe.close().await;
}

/// All rows that were ever written to the table, whether they are deleted by now or not.
fn landed(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in glob::glob(&format!("{}/warehouse/**/*.parquet", folder.display())).unwrap() {
        let file = std::fs::File::open(path.unwrap()).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            if batch.schema().column_with_name("big").is_some() {
                let printed = print(&ZSet::of_rows(batch));
                found.extend(printed.lines().map(|line| line.trim_end_matches(" +1").replace(' ', "|")));
            }
        }
    }
    found
}
