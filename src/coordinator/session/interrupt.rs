//! How a running statement is stopped from outside: a cancel request, a timeout, the server's end.
//!
//! A request counts only while a statement runs; one that comes too late is forgotten, as in PostgreSQL. Row streams are
//! wrapped themselves, because a stream does its work when it is polled, long after the statement was begun.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::types::{Report, SqlState};

#[derive(Clone)]
pub struct Interrupt {
    state: Arc<watch::Sender<State>>,
    deadline: Arc<Mutex<Option<Instant>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Running,
    Cancelled,
    ShutDown,
}

impl Default for Interrupt {
    fn default() -> Interrupt {
        Interrupt { state: Arc::new(watch::Sender::new(State::Idle)), deadline: Arc::default() }
    }
}

impl Interrupt {
    /// A statement begins; it may run for `timeout`.
    pub fn start(&self, timeout: Option<Duration>) {
        self.state.send_if_modified(|state| {
            let idle = *state == State::Idle;
            if idle {
                *state = State::Running;
            }
            idle
        });
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = timeout.map(|t| Instant::now() + t);
    }

    /// No statement runs any more.
    pub fn rest(&self) {
        self.state.send_if_modified(|state| {
            let changed = matches!(state, State::Running | State::Cancelled);
            if changed {
                *state = State::Idle;
            }
            changed
        });
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stops the statement that runs, if one does.
    pub fn cancel(&self) {
        self.state.send_if_modified(|state| {
            let running = *state == State::Running;
            if running {
                *state = State::Cancelled;
            }
            running
        });
    }

    /// Stops whatever runs, now and later.
    pub fn shut_down(&self) {
        self.state.send_replace(State::ShutDown);
    }

    /// Why the statement must stop, if it must.
    pub fn now(&self) -> Option<Report> {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        match *self.state.borrow() {
            State::Cancelled => Some(cancelled()),
            State::ShutDown => Some(ended()),
            State::Idle | State::Running => deadline.filter(|deadline| *deadline <= Instant::now()).map(|_| late()),
        }
    }

    /// Waits until the statement must stop, and says why.
    pub async fn raised(&self) -> Report {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let mut state = self.state.subscribe();
        let stopped = async {
            let reached = state.wait_for(|state| matches!(state, State::Cancelled | State::ShutDown)).await.map(|state| *state);
            match reached {
                Ok(state) => state,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            state = stopped => match state {
                State::ShutDown => ended(),
                _ => cancelled(),
            },
            () = timeout => late(),
        }
    }

    /// Waits only for the server's end.
    pub async fn shut_down_raised(&self) {
        let mut state = self.state.subscribe();
        let reached = state.wait_for(|state| *state == State::ShutDown).await.map(|_| ());
        if reached.is_err() {
            std::future::pending().await
        }
    }

    /// The future's answer, unless the statement is stopped first.
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T, Report>>) -> Result<T, Report> {
        tokio::select! {
            biased;
            report = self.raised() => Err(report),
            result = work => result,
        }
    }

    /// The same items, ended by an error when the statement is stopped.
    pub fn stream<T: Send + 'static>(
        &self,
        items: impl Stream<Item = Result<T, Report>> + Send + Unpin + 'static,
    ) -> stream::BoxStream<'static, Result<T, Report>> {
        stream::unfold((items, self.clone(), false), |(mut items, interrupt, over)| async move {
            if over {
                return None;
            }
            let next = tokio::select! {
                biased;
                report = interrupt.raised() => Some(Err(report)),
                next = items.next() => next,
            };
            next.map(|item| {
                let over = item.is_err();
                (item, (items, interrupt, over))
            })
        })
        .boxed()
    }
}

fn ended() -> Report {
    Report::error(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

fn cancelled() -> Report {
    Report::error(SqlState::QUERY_CANCELED, "canceling statement due to user request")
}

fn late() -> Report {
    Report::error(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_running_statement_is_cancelled() {
        let interrupt = Interrupt::default();
        interrupt.cancel();
        interrupt.start(None);
        let done = interrupt.guard(async { Ok(1) }).await;
        assert_eq!(done, Ok(1), "a request before the statement does not count");
        interrupt.cancel();
        let report = interrupt.guard(std::future::pending::<Result<(), Report>>()).await.expect_err("cancelled");
        assert_eq!((report.sqlstate.0, report.message.as_str()), ("57014", "canceling statement due to user request"));
        interrupt.rest();
        interrupt.start(None);
        assert_eq!(interrupt.guard(async { Ok(2) }).await, Ok(2));
    }

    #[tokio::test]
    async fn a_stream_that_never_yields_is_stopped_by_the_timeout() {
        let interrupt = Interrupt::default();
        interrupt.start(Some(Duration::from_millis(20)));
        let mut rows = interrupt.stream(stream::pending::<Result<(), Report>>());
        let report = rows.next().await.expect("an item").expect_err("the timeout");
        assert_eq!((report.sqlstate.0, report.message.as_str()), ("57014", "canceling statement due to statement timeout"));
        assert!(rows.next().await.is_none());
        // Who cannot wait for it sees it too, until the statement is over.
        let report = interrupt.now().expect("the timeout");
        assert_eq!((report.sqlstate.0, report.message.as_str()), ("57014", "canceling statement due to statement timeout"));
        interrupt.rest();
        assert_eq!(interrupt.now(), None);
    }
}
