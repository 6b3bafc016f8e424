//! What a statement sees of the running system: everything that the system relations and functions answer from.
//!
//! The coordinator makes one for each statement; it is cheap to clone. Nothing in here is asked again while the
//! statement runs, so that two relations of one query agree with each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::catalog::Entry;
use crate::types::ObjectId;

use super::runtime::Runtime;

/// One client session, as `pg_stat_activity` shows it.
#[derive(Clone, Debug, Default)]
pub struct SessionActivity {
    pub process_id: i32,
    pub user: String,
    pub application_name: String,
    pub client_address: Option<String>,
    pub client_port: Option<i32>,
    /// Microseconds since 1970, UTC.
    pub started: i64,
    pub statement_started: Option<i64>,
    /// `active`, `idle`, `idle in transaction`.
    pub state: String,
    pub statement: String,
}

/// What a function asks the coordinator to do once the statement has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `set_config(name, value, is_local)`.
    Set { name: String, value: String, local: bool },
    /// `pg_cancel_backend(pid)`.
    Cancel(i32),
    /// `pg_terminate_backend(pid)`.
    Terminate(i32),
}

#[derive(Clone, Debug, Default)]
pub struct SystemView {
    pub entries: Arc<Vec<Arc<Entry>>>,
    /// The database that the client named when it connected.
    pub database: String,
    pub user: String,
    /// What `pg_backend_pid()` answers.
    pub process_id: i32,
    /// All variables of the session by lower-case name, with the value that SHOW gives.
    pub settings: Arc<BTreeMap<String, String>>,
    pub sessions: Arc<Vec<SessionActivity>>,
    /// Bytes that each object's rows take, where known.
    pub sizes: Arc<BTreeMap<ObjectId, i64>>,
    pub runtime: Runtime,
    /// The statement's time, in microseconds since 1970, UTC.
    pub now: i64,
    /// The newest published epoch: what `txid_current()` answers.
    pub epoch: u64,
    /// When the server started, in microseconds since 1970, UTC.
    pub started: i64,
    /// Filled while the statement runs, applied by the coordinator afterwards.
    pub effects: Arc<Mutex<Vec<Effect>>>,
}

impl SystemView {
    /// The schemas that `search_path` names, in order, whether they are there or not.
    pub fn search_path(&self) -> Vec<String> {
        let path = self.settings.get("search_path").map_or("public", String::as_str);
        let names = path.split(',').map(|name| name.trim().trim_matches('"').replace("$user", &self.user));
        names.filter(|name| !name.is_empty()).collect()
    }

    /// Asks the coordinator to do something once the statement has run.
    pub fn request(&self, effect: Effect) {
        self.effects.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(effect);
    }

    pub fn entry(&self, id: u32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id.0 == id).map(|entry| &**entry)
    }
}
