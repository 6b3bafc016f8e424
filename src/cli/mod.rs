//! The command line: `floe serve`, `floe sql`, `floe checkpoints`, `floe generate`, `floe version`.

mod allocator;
pub mod checkpoints;
pub mod generate;
pub mod nexmark;
pub mod orders;
pub mod script;
pub mod serve;
pub mod sql;
pub mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ServeFlags;
use serve::Open;

#[derive(Parser)]
#[command(name = "floe", about = "A streaming SQL database", version, disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server
    Serve(ServeFlags),
    /// Runs SQL against a server: a text, a file, or what comes on standard input
    Sql(sql::SqlFlags),
    /// Lists the checkpoints that are kept to go back to, or goes back to one while floe does not run
    Checkpoints(checkpoints::CheckpointsFlags),
    /// Writes made-up data to try floe on or to measure it with
    Generate(generate::GenerateFlags),
    /// Prints the version
    Version,
}

/// Runs the command line; `open` opens the database for `serve`.
pub fn run(open: Open) -> ExitCode {
    match Cli::parse().command {
        Command::Serve(flags) => serve::run(flags, open),
        Command::Sql(flags) => sql::run(flags),
        Command::Checkpoints(flags) => checkpoints::run(flags),
        Command::Generate(flags) => generate::run(flags),
        Command::Version => {
            println!("floe {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}
