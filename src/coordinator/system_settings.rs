//! What ALTER SYSTEM has set. It is kept with the state, and goes before what the server was started with.

use serde::{Deserialize, Serialize};

use crate::state::{Family, Store, Writes, record};
use crate::types::{Report, SqlState};

/// In [`Family::Meta`].
const KEY: &[u8] = b"settings";
const VERSION: u8 = 1;
/// More threads than any machine has cores for.
const MOST_WORKERS: usize = 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
}

/// What one statement changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingChange {
    /// Back to what the server was started with, when there is none.
    Workers(Option<usize>),
    /// All of them back.
    All,
}

impl SettingChange {
    /// # Errors
    /// When there is no such setting, or it has no such value.
    pub fn new(name: Option<&str>, value: Option<&str>) -> Result<SettingChange, Report> {
        match (name, value) {
            (None, _) => Ok(SettingChange::All),
            (Some("workers"), None) => Ok(SettingChange::Workers(None)),
            (Some("workers"), Some(value)) => match value.parse() {
                Ok(count) if (1..=MOST_WORKERS).contains(&count) => Ok(SettingChange::Workers(Some(count))),
                _ => Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"workers\": \"{value}\""))
                    .hint(format!("give a number from 1 to {MOST_WORKERS}; as many as there are cores is best"))),
            },
            (Some(name), _) => Err(Report::error(SqlState::UNDEFINED_OBJECT, format!("\"{name}\" is no setting of the whole database"))
                .hint("ALTER SYSTEM sets: workers. SET changes the variables of a session; the others are flags of floe serve")),
        }
    }
}

impl SystemSettings {
    pub fn load(store: &Store) -> Result<SystemSettings, Report> {
        match store.get(Family::Meta, KEY).map_err(|e| e.report())? {
            Some(bytes) => record::decode(VERSION, &bytes, "the settings").map_err(|e| e.report()),
            None => Ok(SystemSettings::default()),
        }
    }

    pub fn put(&self, writes: &mut Writes) -> Result<(), Report> {
        writes.put(Family::Meta, KEY, record::encode(VERSION, self).map_err(|e| e.report())?);
        Ok(())
    }

    pub fn with(self, change: SettingChange) -> SystemSettings {
        match change {
            SettingChange::Workers(workers) => SystemSettings { workers },
            SettingChange::All => SystemSettings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_names_and_values() {
        assert_eq!(SettingChange::new(Some("workers"), Some("3")).unwrap(), SettingChange::Workers(Some(3)));
        assert_eq!(SettingChange::new(Some("workers"), None).unwrap(), SettingChange::Workers(None));
        assert_eq!(SettingChange::new(None, None).unwrap(), SettingChange::All);
        for (name, value, state) in
            [("workers", "0", "22023"), ("workers", "many", "22023"), ("workers", "1025", "22023"), ("work", "1", "42704")]
        {
            let report = SettingChange::new(Some(name), Some(value)).unwrap_err();
            assert_eq!(report.sqlstate.0, state, "{report}");
            assert!(report.hint.is_some(), "{report}");
        }
    }

    #[test]
    fn settings_are_kept() {
        let store = Store::memory();
        assert_eq!(SystemSettings::load(&store).unwrap(), SystemSettings::default());
        let settings = SystemSettings::default().with(SettingChange::Workers(Some(7)));
        let mut writes = Writes::new();
        settings.put(&mut writes).unwrap();
        store.write(writes, true).unwrap();
        assert_eq!(SystemSettings::load(&store).unwrap(), settings);
        assert_eq!(settings.with(SettingChange::All), SystemSettings::default());
    }
}
