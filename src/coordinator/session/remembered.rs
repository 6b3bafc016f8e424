//! What the engine remembers of a prepared query from one run to the next. Its own type inside: a session knows nothing of
//! plans.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

type Something = Arc<dyn Any + Send + Sync>;

/// A handle; clones are the same memory. One that is made by `default` remembers nothing: for queries that run once.
#[derive(Clone, Default)]
pub struct Remembered(Option<Arc<Mutex<Option<Something>>>>);

impl Remembered {
    pub fn for_many_runs() -> Remembered {
        Remembered(Some(Arc::default()))
    }

    /// Whether it is worth while to make something that may be kept.
    pub fn keeps(&self) -> bool {
        self.0.is_some()
    }

    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let kept = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept?.downcast().ok()
    }

    pub fn set<T: Any + Send + Sync>(&self, value: Option<T>) {
        if let Some(place) = &self.0 {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = value.map(|value| Arc::new(value) as Something);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_again_is_remembered() {
        let (once, often) = (Remembered::default(), Remembered::for_many_runs());
        for remembered in [&once, &often] {
            remembered.set(Some(7));
        }
        assert_eq!((once.get::<i32>(), often.clone().get::<i32>().as_deref()), (None, Some(&7)));
        assert_eq!(often.get::<String>(), None, "another engine's");
        often.set(None::<i32>);
        assert!(often.get::<i32>().is_none() && often.keeps() && !once.keeps());
    }
}
