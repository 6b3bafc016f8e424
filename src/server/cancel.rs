//! Who may cancel what: the keys that clients were given when they connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::coordinator::entropy;
use crate::coordinator::session::Interrupt;

#[derive(Default)]
pub struct CancelKeys {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    last: i32,
    by_process: HashMap<i32, Key>,
}

struct Key {
    secret: i32,
    interrupt: Option<Interrupt>,
}

/// A connection's place among the keys, given back when it is dropped.
pub struct Registered {
    keys: Arc<CancelKeys>,
    pub process_id: i32,
    pub secret: i32,
}

impl CancelKeys {
    /// A new process id and secret.
    pub fn register(self: &Arc<Self>) -> Registered {
        let secret = i32::from_be_bytes(entropy::secret());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let process_id = loop {
            inner.last = if inner.last == i32::MAX { 1 } else { inner.last + 1 };
            if !inner.by_process.contains_key(&inner.last) {
                break inner.last;
            }
        };
        inner.by_process.insert(process_id, Key { secret, interrupt: None });
        Registered { keys: self.clone(), process_id, secret }
    }

    /// Stops what that connection runs, when the secret is right. Nobody is told.
    pub fn cancel(&self, process_id: i32, secret: i32) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = inner.by_process.get(&process_id)
            && key.secret == secret
            && let Some(interrupt) = &key.interrupt
        {
            interrupt.cancel();
        }
    }

    /// Ends every connection.
    pub fn shut_down(&self) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.by_process.values().filter_map(|k| k.interrupt.as_ref()).for_each(Interrupt::shut_down);
    }

    pub fn len(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_process.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Registered {
    /// From now on cancel requests reach this session.
    pub fn serve(&self, interrupt: Interrupt) {
        let mut inner = self.keys.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = inner.by_process.get_mut(&self.process_id) {
            key.interrupt = Some(interrupt);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.keys.inner.lock().unwrap_or_else(PoisonError::into_inner).by_process.remove(&self.process_id);
    }
}
