//! A thread of the driver's that does one kind of work, one job after the other.

use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use crate::types::Report;

/// Dropping it waits for what is being done, and for the thread's end: what helpers do holds the store, and a store that is
/// closed while the process ends finds its own locks gone.
pub struct Helper<J> {
    name: &'static str,
    /// None only while it is dropped.
    jobs: Option<Sender<J>>,
    thread: Option<JoinHandle<()>>,
}

impl<J: Send + 'static> Helper<J> {
    /// `work` catches its own panics, and tells who waits.
    pub fn start(name: &'static str, mut work: impl FnMut(J) + Send + 'static) -> Result<Helper<J>, Report> {
        let (jobs, inbox) = mpsc::channel::<J>();
        let run = move || inbox.into_iter().for_each(&mut work);
        let thread = std::thread::Builder::new().name(name.to_string()).spawn(run).map_err(Report::internal)?;
        Ok(Helper { name, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Gives it a job, which it begins with when it is done with those before.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn give(&self, job: J) -> Result<(), Report> {
        let given = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if given { Ok(()) } else { Err(self.ended()) }
    }

    pub fn ended(&self) -> Report {
        Report::internal(format!("the thread \"{}\" has ended", self.name))
    }
}

impl<J> Drop for Helper<J> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of a job is caught and told; nothing else there can.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_in_order_and_all_of_them_before_it_is_gone() {
        let (told, done) = mpsc::channel();
        let helper = Helper::start("test", move |job: u32| told.send(job).unwrap()).unwrap();
        (0..100).for_each(|job| helper.give(job).unwrap());
        drop(helper);
        assert!(done.into_iter().eq(0..100));
    }
}
