//! The .slt files over the wire: each file against a floe of its own, and against PostgreSQL, whose answers they hold.
//!
//! On floe a second time with no memory for state to speak of: all rows are read from the store again.
//!
//! Every query is checked twice. First as a SELECT. Then as a materialized view that the runner makes at the query's first
//! appearance and reads at each later one: so a file that changes its tables and asks again checks the upkeep of the view.
//!
//! ```text
//! cargo test --release --test sqllogictest                                     all files of this folder
//! cargo test --release --test sqllogictest -- --file X --connect HOST:PORT     any file, against a server that runs
//!                                              [--plain] without the views
//!                                              [--complete] write what the server answers into the file
//! ```

#[path = "sqllogictest/engine.rs"]
mod engine;
mod support;

use std::path::{Path, PathBuf};

use sqllogictest::harness::{Arguments, Failed, Trial};
use sqllogictest::{DefaultColumnType, Runner, default_normalizer, default_validator};

use engine::{Engine, Kind};
use support::{Floe, Sql, services};

fn files() -> Vec<PathBuf> {
    let pattern = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sqllogictest/**/*.slt");
    let files: Vec<PathBuf> = sqllogictest::harness::glob(pattern).expect("a pattern").filter_map(Result::ok).collect();
    assert!(!files.is_empty(), "no file matches {pattern}");
    files
}

/// The number of columns has to be the one after `query`.
#[allow(clippy::ptr_arg)]
fn same_width(actual: &Vec<DefaultColumnType>, expected: &Vec<DefaultColumnType>) -> bool {
    actual.len() == expected.len()
}

async fn run(file: &Path, address: &str, kind: Kind, complete: bool) -> Result<(), Failed> {
    let address = address.to_string();
    let mut runner = Runner::new(move || {
        let address = address.clone();
        async move { Engine::open(&address, kind).await }
    });
    runner.with_column_validator(same_width);
    if complete {
        let done = runner.update_test_file(file, " ", default_validator, default_normalizer, same_width).await;
        return done.map_err(|e| Failed::from(e.to_string()));
    }
    runner.run_file_async(file).await.map_err(|e| Failed::from(e.display(false).to_string()))
}

fn on_floe(file: &Path, flags: &[&str]) -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(|e| Failed::from(e.to_string()))?;
    let floe = Floe::try_on(&folder.path().join("data"), support::free_port(), flags).map_err(|failed| Failed::from(failed.log))?;
    support::client::runtime().block_on(run(file, &floe.address(), Kind::FloeWithViews, false))
}

/// In a database of the file's own.
fn on_postgres(file: &Path, complete: bool) -> Result<(), Failed> {
    services::up(&["postgres"]);
    let name = format!("slt_{}", file.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_"));
    let admin = Sql::connect(services::setting("POSTGRES"))?;
    admin.try_run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
    admin.try_run(&format!("CREATE DATABASE {name}"))?;
    let address = services::setting("POSTGRES").replace("dbname=floe", &format!("dbname={name}"));
    support::client::runtime().block_on(run(file, &address, Kind::Postgres, complete))
}

/// One of our own options, taken out of the arguments that the test harness sees.
fn take(arguments: &mut Vec<String>, option: &str, with_value: bool) -> Option<String> {
    let at = arguments.iter().position(|a| a == option)?;
    arguments.remove(at);
    if with_value && at < arguments.len() { Some(arguments.remove(at)) } else { Some(String::new()) }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().collect();
    let file = take(&mut arguments, "--file", true);
    let server = take(&mut arguments, "--connect", true);
    let plain = take(&mut arguments, "--plain", false).is_some();
    let complete = take(&mut arguments, "--complete", false).is_some();
    let chosen = file.map_or_else(files, |f| vec![PathBuf::from(f)]);
    let mut trials = Vec::new();
    for file in chosen {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match server.clone() {
            Some(server) => {
                let (host, port) = server.split_once(':').unwrap_or((&server, "4566"));
                let address = format!("host={host} port={port} user=floe dbname=floe");
                let kind = if plain { Kind::Floe } else { Kind::FloeWithViews };
                trials.push(Trial::test(name, move || support::client::runtime().block_on(run(&file, &address, kind, complete))));
            }
            None if complete => trials.push(Trial::test(format!("postgres::{name}"), move || on_postgres(&file, true))),
            None => {
                let (other, again) = (file.clone(), file.clone());
                trials.push(Trial::test(format!("floe::{name}"), move || on_floe(&file, &[])));
                let little = ["--state-memory", "1KiB", "--checkpoint-interval", "1ms"];
                trials.push(Trial::test(format!("floe_with_little_memory::{name}"), move || on_floe(&again, &little)));
                trials.push(Trial::test(format!("postgres::{name}"), move || on_postgres(&other, false)));
            }
        }
    }
    sqllogictest::harness::run(&Arguments::from_iter(arguments), trials).exit();
}
