//! `floe sql`: runs a script against a server, for terminals and for CI. Stops at the first error.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use futures::{SinkExt, TryStreamExt, pin_mut};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

use super::script::{Part, split};
use super::table::{Format, print};

#[derive(Args, Debug)]
// `-h` is the host, as in psql.
#[command(disable_help_flag = true)]
pub struct SqlFlags {
    /// The server's host
    #[arg(short = 'h', long, env = "FLOE_HOST", default_value = "127.0.0.1")]
    host: String,
    #[arg(short = 'p', long, env = "FLOE_PORT", default_value_t = 4566)]
    port: u16,
    #[arg(short = 'U', long, env = "FLOE_USER", default_value = "floe")]
    user: String,
    #[arg(short = 'd', long, env = "FLOE_DATABASE", default_value = "floe")]
    database: String,
    #[arg(long, env = "FLOE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// SQL to run; may be given more than once
    #[arg(short = 'c', long, value_name = "SQL", conflicts_with = "file")]
    command: Vec<String>,
    /// A file of SQL to run; "-" is standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Prints results only, no command tags
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Prints help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Exit code 0 when everything ran, 1 when a statement failed or the server was not reached, 2 when the script could not
/// be read.
pub fn run(flags: SqlFlags) -> ExitCode {
    let scripts = match scripts(&flags) {
        Ok(scripts) => scripts,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run_scripts(&flags, &scripts)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Names (empty for a command) and texts.
fn scripts(flags: &SqlFlags) -> Result<Vec<(String, String)>, String> {
    if !flags.command.is_empty() {
        return Ok(flags.command.iter().map(|text| (String::new(), text.clone())).collect());
    }
    match &flags.file {
        Some(path) if path.as_os_str() != "-" => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            Ok(vec![(path.display().to_string(), text)])
        }
        _ => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(|e| format!("cannot read standard input: {e}"))?;
            Ok(vec![("<stdin>".to_string(), text)])
        }
    }
}

async fn run_scripts(flags: &SqlFlags, scripts: &[(String, String)]) -> Result<(), String> {
    let mut config = tokio_postgres::Config::new();
    config.host(&flags.host).port(flags.port).user(&flags.user).dbname(&flags.database).application_name("floe sql");
    if let Some(password) = &flags.password {
        config.password(password);
    }
    let (client, mut connection) = config.connect(NoTls).await.map_err(|error| {
        let hint = if error.as_db_error().is_some() { "" } else { "\nhint: is the server running? floe serve starts it" };
        format!("error: cannot connect to {}:{}: {}{hint}", flags.host, flags.port, describe(&error))
    })?;
    let messages = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notice(notice) = message {
                eprintln!("{}:  {}", notice.severity(), notice.message());
            }
        }
    });
    for (name, text) in scripts {
        for part in split(text) {
            run_part(&client, flags, &part).await.map_err(|reason| match name.as_str() {
                "" => reason,
                name => format!("{name}:{}: {reason}", part.line),
            })?;
        }
    }
    drop(client);
    let _ = messages.await;
    Ok(())
}

async fn run_part(client: &Client, flags: &SqlFlags, part: &Part) -> Result<(), String> {
    let failed = |error: tokio_postgres::Error| describe(&error);
    let words: Vec<String> = part.text.split_whitespace().map(str::to_lowercase).collect();
    if let Some(data) = &part.data {
        let sink = client.copy_in::<_, Bytes>(&part.text).await.map_err(failed)?;
        pin_mut!(sink);
        sink.send(Bytes::from(data.clone())).await.map_err(failed)?;
        let rows = sink.finish().await.map_err(failed)?;
        return show(flags, &format!("COPY {rows}"));
    }
    if words.first().is_some_and(|w| w == "copy") && words.windows(2).any(|w| w[0] == "to" && w[1] == "stdout") {
        let data = client.copy_out(&part.text).await.map_err(failed)?;
        pin_mut!(data);
        while let Some(piece) = data.try_next().await.map_err(failed)? {
            write(&String::from_utf8_lossy(&piece))?;
        }
        return Ok(());
    }
    let mut columns: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    for message in client.simple_query(&part.text).await.map_err(failed)? {
        match message {
            SimpleQueryMessage::RowDescription(described) => {
                columns = Some(described.iter().map(|c| c.name().to_string()).collect());
            }
            SimpleQueryMessage::Row(row) => rows.push((0..row.len()).map(|at| row.get(at).map(String::from)).collect()),
            SimpleQueryMessage::CommandComplete(count) => match columns.take() {
                Some(columns) => write(&print(flags.format, &columns, &std::mem::take(&mut rows)))?,
                None => show(flags, &tag(&words, count))?,
            },
            _ => {}
        }
    }
    Ok(())
}

/// The driver gives only the number of a command tag.
fn tag(words: &[String], count: u64) -> String {
    match words.first().map(String::as_str) {
        Some(verb @ ("insert" | "update" | "delete")) => format!("{} {count}", verb.to_uppercase()),
        Some(verb) => verb.to_uppercase(),
        None => String::new(),
    }
}

fn show(flags: &SqlFlags, text: &str) -> Result<(), String> {
    if flags.quiet || flags.format != Format::Aligned { Ok(()) } else { write(&format!("{text}\n")) }
}

/// A reader that has enough (`| head`) is no error of the script, but ends it.
fn write(text: &str) -> Result<(), String> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(|e| format!("error: cannot write: {e}"))
}

/// `ERROR: ... (42P01)` and its detail and hint, each on a line.
fn describe(error: &tokio_postgres::Error) -> String {
    let Some(error) = error.as_db_error() else {
        return match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
    };
    let mut text = format!("{}:  {} ({})", error.severity(), error.message(), error.code().code());
    for (label, part) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
        if let Some(part) = part {
            text.push_str(&format!("\n{label}:  {part}"));
        }
    }
    text
}
