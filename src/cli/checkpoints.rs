//! `floe checkpoints`: which checkpoints a state directory keeps, and going back to one of them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::DateTime;
use clap::Args;

use super::table::{Format, print};
use crate::config::DEFAULT_DATA;
use crate::coordinator::restore::{self, Listed};
use crate::fail_points;
use crate::types::{Epoch, Report};

#[derive(Args, Debug)]
pub struct CheckpointsFlags {
    /// The state directory
    #[arg(long, env = "FLOE_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    /// Puts the directory back to the kept checkpoint of that epoch; floe must not be running on it. The state that was there
    /// is moved into a folder of it
    #[arg(long, value_name = "EPOCH")]
    restore: Option<u64>,
    /// Deletes the state that was there instead
    #[arg(long, requires = "restore")]
    delete_replaced: bool,
    /// How the list is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Exit codes: 1 it could not be done, 2 the settings are wrong.
pub fn run(flags: CheckpointsFlags) -> ExitCode {
    if let Err(error) = fail_points::arm(&std::env::var("FLOE_FAILPOINTS").unwrap_or_default()) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let said = match flags.restore {
        None => restore::list(&flags.data).map(|kept| table(flags.format, &kept)),
        Some(epoch) => restore(&flags, Epoch(epoch)),
    };
    match said {
        Ok(text) => {
            // It is done, whether somebody reads of it or not.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(report) => {
            match &report.detail {
                Some(detail) => eprintln!("error: {}: {detail}", report.message),
                None => eprintln!("error: {}", report.message),
            }
            if let Some(hint) = &report.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn restore(flags: &CheckpointsFlags, epoch: Epoch) -> Result<String, Report> {
    let restored = restore::restore(&flags.data, epoch, flags.delete_replaced)?;
    let mut text = format!("{} is back at epoch {epoch}; its epochs go on after {}\n", flags.data.display(), restored.begin);
    if let Some(replaced) = &restored.replaced {
        text.push_str(&format!(
            "the state that was there is in {}, a state directory of its own: delete it when nobody needs it any more\n",
            replaced.display()
        ));
    }
    text.push_str("sinks whose tables have commits from after the checkpoint stop: drop them and create them again with new tables\n");
    Ok(text)
}

fn table(format: Format, kept: &[Listed]) -> String {
    let columns = ["epoch", "time", "bytes", "own bytes", "offsets"].map(String::from);
    let rows: Vec<Vec<Option<String>>> = kept
        .iter()
        .map(|Listed { about, bytes, own_bytes }| {
            let time = DateTime::from_timestamp_micros(about.at).filter(|_| about.at != 0);
            let offsets = serde_json::to_string(&about.offsets).ok().filter(|_| !about.offsets.is_empty());
            vec![
                Some(about.epoch.to_string()),
                time.map(|time| time.format("%Y-%m-%d %H:%M:%S+00").to_string()),
                Some(bytes.to_string()),
                Some(own_bytes.to_string()),
                offsets,
            ]
        })
        .collect();
    print(format, &columns, &rows)
}
