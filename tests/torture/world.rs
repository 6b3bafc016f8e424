//! One small world that every round happens in: tables, change logs in files, views over both, sinks into a local lake.
//!
//! It is made once, kept as a template, and put back before each round: paths are part of definitions, so the copy goes
//! where the original was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::floe::{Failed, Launch};
use crate::support::{Floe, free_port, run_ok, services, shop};
use crate::work::Work;

/// Checkpoints and commits come many times a second, and some checkpoints are kept, so that a round of a second has all of them
/// in it. With so little memory a checkpoint of a long note does not go through the store's log.
const FLAGS: [&str; 8] = ["--checkpoint-interval", "30ms", "--memory", "64MiB", "--keep-checkpoints", "2", "--keep-every", "100ms"];

/// Each view with its query; a later one may read an earlier one.
pub const VIEWS: [(&str, &str); 5] = [
    (
        "owners",
        "SELECT owner, count(*) AS n, sum(balance) AS balance, min(balance) AS low, max(balance) AS high FROM accounts GROUP BY owner",
    ),
    (
        "transfers",
        "SELECT l.id, a.owner AS giver, b.owner AS taker, l.amount FROM ledger l JOIN accounts a ON l.giver = a.id JOIN accounts b ON l.taker = b.id",
    ),
    (
        "largest",
        "SELECT giver, id, amount FROM (SELECT *, row_number() OVER (PARTITION BY giver ORDER BY amount DESC, id) AS place FROM transfers) t WHERE place <= 2",
    ),
    ("urls", "SELECT url, count(*) AS n, max(user_id) AS last FROM clicks GROUP BY url"),
    ("tallied", "SELECT count(*) AS n, max(id) AS last FROM tally"),
];

/// What comes and goes while work goes on. It keeps accounts together with `transfers`, which joins them twice.
pub const EXTRA: (&str, &str) =
    ("extra", "SELECT a.owner AS giver, sum(l.amount) AS given FROM ledger l JOIN accounts a ON l.giver = a.id GROUP BY a.owner");

/// Each sink: what it follows, its type, its columns, and the query whose rows are in its table.
type Sink = (&'static str, &'static str, &'static str, &'static str, &'static str);
pub const SINKS: [Sink; 3] = [
    (
        "accounts_lake",
        "FROM accounts",
        "type = 'upsert', primary_key = 'id'",
        "id,owner,balance",
        "SELECT id, owner, balance FROM accounts",
    ),
    ("clicks_lake", "FROM clicks", "type = 'append-only'", "user_id,url", "SELECT user_id, url FROM clicks"),
    (
        "urls_lake",
        "AS SELECT url, count(*) AS n FROM clicks GROUP BY url",
        "type = 'upsert', primary_key = 'url'",
        "url,n",
        "SELECT url, count(*) FROM clicks GROUP BY url",
    ),
];

pub const ACCOUNTS: i64 = 8;

pub struct World {
    folder: PathBuf,
    pub port: u16,
    reader: Option<Reader>,
    turn: usize,
    /// Later states that rounds begin at, with the work that led there.
    kept: BTreeMap<&'static str, Work>,
    /// The sinks that were made anew have tables of their own.
    again: BTreeSet<&'static str>,
}

impl World {
    /// Makes the template in a folder of the world's own.
    pub fn new(folder: PathBuf) -> World {
        let world = World { folder, port: free_port(), reader: None, turn: 0, kept: BTreeMap::new(), again: BTreeSet::new() };
        std::fs::create_dir_all(world.at("")).expect("a folder");
        std::fs::write(world.orders(), "").expect("written");
        std::fs::write(world.clicks(), "").expect("written");
        let mut floe = world.start(Launch::default()).unwrap_or_else(|failed| panic!("floe does not start: {}", failed.log));
        let sql = floe.sql();
        for statement in world.definitions() {
            sql.run(&statement);
        }
        sql.run("CHECKPOINT");
        floe.kill();
        run_ok(Command::new("cp").arg("-a").arg(world.at("")).arg(world.template()));
        world
    }

    pub fn definitions(&self) -> Vec<String> {
        let mut statements = shop::definitions(&self.orders());
        statements.push(format!(
            "CREATE SOURCE clicks (user_id BIGINT, url VARCHAR) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON",
            self.clicks().display()
        ));
        statements.push("CREATE TABLE accounts (id BIGINT PRIMARY KEY, owner TEXT, balance BIGINT)".into());
        let accounts: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id}, 'owner {}', 1000)", id % 3)).collect();
        statements.push(format!("INSERT INTO accounts VALUES {}", accounts.join(", ")));
        statements.push("CREATE TABLE ledger (id BIGINT PRIMARY KEY, giver BIGINT, taker BIGINT, amount BIGINT)".into());
        statements.push("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)".into());
        statements.push("CREATE TABLE tally (id BIGINT)".into());
        for (name, query) in VIEWS {
            statements.push(format!("CREATE MATERIALIZED VIEW {name} AS {query}"));
        }
        statements.extend(SINKS.iter().map(|sink| self.sink(sink, sink.0)));
        statements.push("CREATE SINK nowhere FROM largest WITH (connector = 'blackhole')".into());
        statements
    }

    fn sink(&self, (name, input, kind, _, _): &Sink, table: &str) -> String {
        format!(
            "CREATE SINK {name} {input} WITH (connector = 'iceberg', {kind}, catalog.type = 'sql', catalog.uri = 'sqlite:{}', \
             warehouse.path = '{}', database.name = 'lake', table.name = '{table}', create_table_if_not_exists = 'true', \
             commit_interval = '20 ms')",
            self.catalog().display(),
            self.at("warehouse").display()
        )
    }

    /// What makes a sink anew, into a new table.
    pub fn sink_again(&mut self, name: &str) -> Vec<String> {
        let Some(sink) = SINKS.iter().find(|sink| sink.0 == name) else { return Vec::new() };
        self.again.insert(sink.0);
        vec![format!("DROP SINK IF EXISTS {name}"), self.sink(sink, &format!("{name}_again"))]
    }

    pub fn at(&self, name: &str) -> PathBuf {
        match name {
            "" => self.folder.join("world"),
            name => self.folder.join("world").join(name),
        }
    }

    fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    pub fn data(&self) -> PathBuf {
        self.at("data")
    }

    pub fn orders(&self) -> PathBuf {
        self.at("orders.jsonl")
    }

    pub fn clicks(&self) -> PathBuf {
        self.at("clicks.jsonl")
    }

    fn catalog(&self) -> PathBuf {
        self.at("catalog.db")
    }

    /// A file of the round that is no part of the world.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The world as it was when it was made.
    pub fn reset(&mut self) {
        self.again.clear();
        self.put_back(&self.template());
    }

    fn put_back(&self, from: &Path) {
        let _ = std::fs::remove_dir_all(self.at(""));
        run_ok(Command::new("cp").arg("-a").arg(from).arg(self.at("")));
    }

    /// Keeps the world as it is now; no floe runs on it.
    pub fn keep(&mut self, name: &'static str, work: &Work) {
        run_ok(Command::new("cp").arg("-a").arg(self.at("")).arg(self.folder.join(name)));
        self.kept.insert(name, work.clone());
    }

    /// The world as it was kept under the name, if it was, with the work that led there.
    pub fn back_to(&mut self, name: &str) -> Option<Work> {
        let work = self.kept.get(name)?.clone();
        self.put_back(&self.folder.join(name));
        Some(work)
    }

    pub fn start(&self, launch: Launch) -> Result<Floe, Failed> {
        Floe::launch(&self.data(), self.port, Launch { flags: &FLAGS, ..launch })
    }

    /// A floe that leaves what it does in the journal.
    pub fn start_without_checkpoints(&self) -> Result<Floe, Failed> {
        Floe::launch(&self.data(), self.port, Launch { flags: &["--checkpoint-interval", "10min"], ..Launch::default() })
    }

    /// All that floe said in this round.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data().with_extension(format!("{}.log", self.port))).unwrap_or_default()
    }

    /// The rows of a sink's table, as a reader sees them that shares no code with floe: each of the two in its turn.
    pub fn lake(&mut self, table: &str, columns: &str) -> Result<Vec<String>, String> {
        self.turn += 1;
        let reader = ["pyiceberg", "duckdb"][self.turn % 2];
        let catalog = self.catalog();
        let again = format!("{table}_again");
        let table = if self.again.contains(table) { &again } else { table };
        self.reader.get_or_insert_with(Reader::start).ask(&["--reader", reader, "--columns", columns, "--sql"], &catalog, table)
    }
}

/// A process that reads Iceberg tables, kept for many of them: starting one takes longer than a round.
struct Reader {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reader {
    fn start() -> Reader {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/services/readers/read.py");
        let mut command = Command::new(services::setting("PYTHON"));
        let mut process =
            command.arg(script).arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the reader starts");
        let (input, output) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        Reader { process, input, output: BufReader::new(output) }
    }

    fn ask(&mut self, arguments: &[&str], catalog: &Path, table: &str) -> Result<Vec<String>, String> {
        let line = format!("{}\t{}\tlake.{table}", arguments.join("\t"), catalog.display());
        writeln!(self.input, "{line}").map_err(|e| format!("the reader is gone: {e}"))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).map_err(|e| format!("the reader is gone: {e}"))?;
        let answer: serde_json::Value = serde_json::from_str(&answer).map_err(|e| format!("the reader says {answer:?}: {e}"))?;
        match answer["lines"].as_array() {
            Some(lines) => Ok(lines.iter().filter_map(|l| l.as_str().map(String::from)).collect()),
            None => Err(answer["error"].as_str().unwrap_or("no answer").to_string()),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
