//! ALTER SYSTEM at work.

use crate::state::Writes;
use crate::types::Report;

use super::driver::Driver;
use super::relation::RelationKind;
use super::system_settings::SettingChange;

impl Driver {
    /// Between two epochs: state is where it was, so whoever steps it next need not know who did before.
    pub fn alter_system(&mut self, change: SettingChange) -> Result<(), Report> {
        let settings = self.settings.with(change);
        let before = self.workers.count();
        let count = settings.workers.unwrap_or(self.started_with);
        self.workers.set(count).map_err(|e| e.report())?;
        let mut writes = Writes::new();
        settings.put(&mut writes)?;
        self.store.write(writes, true).map_err(|e| e.report())?;
        self.settings = settings;
        if count != before {
            tracing::info!(workers = count, "the number of workers has changed");
            // Readers decode on as many threads: what the running ones read is not what is wanted.
            for relation in self.relations.values_mut() {
                if let RelationKind::Source(source) = &mut relation.kind {
                    source.read = None;
                }
            }
            self.read_what_is_needed()?;
        }
        Ok(())
    }
}
