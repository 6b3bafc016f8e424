//! Settings of the server: a flag beats an environment variable, that beats the file, that beats the default.

mod machine_memory;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use thiserror::Error;

use machine_memory::machine_memory;

pub const DEFAULT_LISTEN: &str = "127.0.0.1:4566";
pub const DEFAULT_HTTP: &str = "127.0.0.1:4567";
pub const DEFAULT_DATA: &str = "floe-data";
/// Where nobody says how much there is.
const DEFAULT_MEMORY: u64 = 2 << 30;
const DEFAULT_CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_KEEP_EVERY: Duration = Duration::from_secs(5 * 60);

/// What the command line and the environment say; both are read by clap, the command line first.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeFlags {
    /// A TOML file with the same settings: `listen = "..."`
    #[arg(long, env = "FLOE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The directory that holds everything [default: floe-data]
    #[arg(long, env = "FLOE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where PostgreSQL clients connect [default: 127.0.0.1:4566]
    #[arg(long, env = "FLOE_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Where /healthz, /readyz and /metrics are served; "off" for nowhere [default: 127.0.0.1:4567]
    #[arg(long, env = "FLOE_HTTP", value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Worker threads [default: the machine's cores]
    #[arg(long, env = "FLOE_WORKERS", value_name = "N")]
    pub workers: Option<usize>,
    /// Memory to plan for, such as 512MiB or 2GiB [default: half of what the machine or the container has]
    #[arg(long, env = "FLOE_MEMORY", value_name = "SIZE")]
    pub memory: Option<String>,
    /// Memory for state, past which rows are left on the disk alone [default: what the other parts leave of the memory]
    #[arg(long, env = "FLOE_STATE_MEMORY", value_name = "SIZE")]
    pub state_memory: Option<String>,
    /// How long changes may stand in the journal alone before a checkpoint, such as 500ms, 10s or 5min: a longer one costs
    /// less, makes a recovery longer, and sinks commit later [default: 1s]
    #[arg(long, env = "FLOE_CHECKPOINT_INTERVAL", value_name = "TIME")]
    pub checkpoint_interval: Option<String>,
    /// How many checkpoints are kept to go back to, with floe checkpoints --restore; each keeps files on the disk that are deleted
    /// otherwise [default: 0, the newest is all there is]
    #[arg(long, env = "FLOE_KEEP_CHECKPOINTS", value_name = "N")]
    pub keep_checkpoints: Option<usize>,
    /// How far apart kept checkpoints are at least; the statement CHECKPOINT makes one at any time [default: 5min]
    #[arg(long, env = "FLOE_KEEP_EVERY", value_name = "TIME")]
    pub keep_every: Option<String>,
    /// The user that may connect once a password is set [default: floe]
    #[arg(long, env = "FLOE_USER", value_name = "NAME")]
    pub user: Option<String>,
    /// Clients must give this password (SCRAM-SHA-256); needed to listen beyond this machine
    #[arg(long, env = "FLOE_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// The name under which clients ask for the database [default: floe]
    #[arg(long, env = "FLOE_DATABASE", value_name = "NAME")]
    pub database: Option<String>,
    /// How many clients are served at once [default: 1000]
    #[arg(long, env = "FLOE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
}

/// The file's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSettings {
    data: Option<PathBuf>,
    listen: Option<String>,
    http: Option<String>,
    workers: Option<usize>,
    memory: Option<String>,
    state_memory: Option<String>,
    checkpoint_interval: Option<String>,
    keep_checkpoints: Option<usize>,
    keep_every: Option<String>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    max_connections: Option<usize>,
}

/// What the server runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub data: PathBuf,
    pub listen: String,
    pub http: Option<String>,
    pub workers: usize,
    /// Bytes.
    pub memory: u64,
    pub state_memory: Option<u64>,
    pub checkpoint_interval: Duration,
    pub keep_checkpoints: usize,
    pub keep_every: Duration,
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    pub max_connections: usize,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {} is not right: {message}", path.display())]
    File { path: PathBuf, message: String },
    #[error("invalid size of memory: \"{0}\" (write 512MiB, 2GiB, ...)")]
    Memory(String),
    #[error("invalid checkpoint interval: \"{0}\" (write 500ms, 10s, 5min, ...)")]
    CheckpointInterval(String),
    #[error("invalid distance of kept checkpoints: \"{0}\" (write 30s, 5min, 1h, ...)")]
    KeepEvery(String),
    #[error("{name} must be at least 1")]
    Zero { name: &'static str },
    #[error("{name} must not be empty")]
    Empty { name: &'static str },
}

impl Config {
    pub fn resolve(flags: ServeFlags) -> Result<Config, ConfigError> {
        let file = match &flags.config {
            Some(path) => FileSettings::read(path)?,
            None => FileSettings::default(),
        };
        let memory = match flags.memory.or(file.memory) {
            Some(text) => parse_size(&text).ok_or(ConfigError::Memory(text))?,
            None => machine_memory().map_or(DEFAULT_MEMORY, |bytes| bytes / 2),
        };
        let state_memory = match flags.state_memory.or(file.state_memory) {
            Some(text) => Some(parse_size(&text).ok_or(ConfigError::Memory(text))?),
            None => None,
        };
        let checkpoint_interval = match flags.checkpoint_interval.or(file.checkpoint_interval) {
            Some(text) => parse_time(&text).ok_or(ConfigError::CheckpointInterval(text))?,
            None => DEFAULT_CHECKPOINT_INTERVAL,
        };
        let keep_every = match flags.keep_every.or(file.keep_every) {
            Some(text) => parse_time(&text).ok_or(ConfigError::KeepEvery(text))?,
            None => DEFAULT_KEEP_EVERY,
        };
        let http = flags.http.or(file.http).unwrap_or_else(|| DEFAULT_HTTP.to_string());
        let workers = flags.workers.or(file.workers).unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let password = flags.password.or(file.password);
        let config = Config {
            data: flags.data.or(file.data).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA)),
            listen: flags.listen.or(file.listen).unwrap_or_else(|| DEFAULT_LISTEN.to_string()),
            http: (!http.eq_ignore_ascii_case("off")).then_some(http),
            workers,
            memory,
            state_memory,
            checkpoint_interval,
            keep_checkpoints: flags.keep_checkpoints.or(file.keep_checkpoints).unwrap_or(0),
            keep_every,
            user: flags.user.or(file.user).unwrap_or_else(|| "floe".to_string()),
            password,
            database: flags.database.or(file.database).unwrap_or_else(|| "floe".to_string()),
            max_connections: flags.max_connections.or(file.max_connections).unwrap_or(1000),
        };
        for (name, number) in [("workers", config.workers), ("max_connections", config.max_connections)] {
            if number == 0 {
                return Err(ConfigError::Zero { name });
            }
        }
        if config.password.as_deref() == Some("") {
            return Err(ConfigError::Empty { name: "password" });
        }
        Ok(config)
    }
}

impl FileSettings {
    fn read(path: &Path) -> Result<FileSettings, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::File { path: path.to_path_buf(), message: error.to_string().trim_end().to_string() })
    }
}

/// A number and the word behind it.
fn quantity(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim().to_ascii_lowercase()))
}

/// `500ms`, `10s`, `5 min`, `1h`; a number alone counts seconds.
pub fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = quantity(text)?;
    let millis = match unit.as_str() {
        "ms" => 1,
        "" | "s" => 1000,
        "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    number.checked_mul(millis).filter(|millis| *millis > 0).map(Duration::from_millis)
}

/// Bytes of `2GiB`, `512 MB`, `1073741824`.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = quantity(text)?;
    let unit = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    #[test]
    fn flags_beat_the_file_and_the_file_beats_the_defaults() {
        let file = file("listen = \"127.0.0.1:1\"\nworkers = 3\nmemory = \"1GiB\"\n");
        let flags = ServeFlags { config: Some(file.path().to_path_buf()), workers: Some(5), ..ServeFlags::default() };
        let config = Config::resolve(flags).expect("right");
        assert_eq!((config.listen.as_str(), config.workers, config.memory), ("127.0.0.1:1", 5, 1 << 30));
        assert_eq!((config.http.as_deref(), config.user.as_str()), (Some(DEFAULT_HTTP), "floe"));
        assert_eq!(config.database, "floe");
        assert_eq!((config.keep_checkpoints, config.keep_every), (0, Duration::from_secs(300)));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = file("listn = \"127.0.0.1:1\"\n");
        for (flags, words) in [
            (ServeFlags { config: Some("/no/such.toml".into()), ..ServeFlags::default() }, "cannot read the configuration file"),
            (ServeFlags { config: Some(wrong.path().to_path_buf()), ..ServeFlags::default() }, "unknown field `listn`"),
            (ServeFlags { memory: Some("much".into()), ..ServeFlags::default() }, "invalid size of memory: \"much\""),
            (ServeFlags { checkpoint_interval: Some("0s".into()), ..ServeFlags::default() }, "invalid checkpoint interval: \"0s\""),
            (ServeFlags { checkpoint_interval: Some("soon".into()), ..ServeFlags::default() }, "invalid checkpoint interval: \"soon\""),
            (ServeFlags { keep_every: Some("often".into()), ..ServeFlags::default() }, "invalid distance of kept checkpoints: \"often\""),
            (ServeFlags { workers: Some(0), ..ServeFlags::default() }, "workers must be at least 1"),
            (ServeFlags { password: Some(String::new()), ..ServeFlags::default() }, "password must not be empty"),
        ] {
            let error = Config::resolve(flags).expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn times() {
        for (text, millis) in
            [("500ms", Some(500)), ("10 s", Some(10_000)), ("2", Some(2000)), ("1h", Some(3_600_000)), ("0", None), ("soon", None)]
        {
            assert_eq!(parse_time(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("2GiB", Some(2 << 30)), ("512 mb", Some(512 << 20)), ("7", Some(7)), ("0", None), ("1XB", None), ("99999999999TiB", None)]
        {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }
}
