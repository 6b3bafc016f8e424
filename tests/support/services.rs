//! The services that floe meets: started by `scripts/services`, found by what that prints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::run_ok;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/services").join(name)
}

/// Starts what is not running yet; those that run are left alone.
pub fn up(names: &[&str]) {
    run_ok(Command::new(script("all")).arg("up").args(names));
}

/// A setting of `scripts/services/env`, without its prefix: `KAFKA`, `CATALOG`, `PYTHON`...
pub fn setting(name: &str) -> &'static str {
    static SETTINGS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let settings = SETTINGS.get_or_init(|| {
        let text = run_ok(&mut Command::new(script("env")));
        let lines = text.lines().filter_map(|l| l.strip_prefix("export FLOE_TEST_")?.split_once('='));
        lines.map(|(k, v)| (k.to_string(), v.trim_matches('\'').to_string())).collect()
    });
    settings.get(name).unwrap_or_else(|| panic!("scripts/services/env does not know {name}"))
}

/// The rows that a reader which is not floe's finds in an Iceberg table, as sorted lines of `name=value`... see `read.py`.
pub fn read_iceberg(reader: &str, at: &[&str], columns: &str) -> Vec<String> {
    let mut command = Command::new(setting("PYTHON"));
    command.arg(script("readers/read.py")).args(["--reader", reader, "--columns", columns]).args(at);
    for key in ["S3", "S3_KEY", "S3_SECRET", "S3_REGION", "CATALOG"] {
        command.env(format!("FLOE_TEST_{key}"), setting(key));
    }
    run_ok(&mut command).lines().map(String::from).collect()
}
