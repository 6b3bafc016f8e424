//! Named places at which a test makes floe fail, to show that what it promises holds wherever it is stopped.
//!
//! `FLOE_FAILPOINTS=journal.written=kill@3,sink.recorded=error` in the environment of `floe serve` says what happens where:
//! `kill` ends the process as SIGKILL would (nothing is flushed, no destructor runs), `error` makes the step fail, `panic`
//! is a defect there, `delay:50` sleeps that many milliseconds. It happens when the place is reached for the time given
//! after `@`, by default the first, and never again. The places lie on paths of epochs, checkpoints, commits and
//! definitions, not of rows. Without the variable a place costs the load of one word that nobody writes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::types::{Report, SqlState};

macro_rules! points {
    ($($(#[$meaning:meta])* $point:ident = $name:literal;)*) => {
        /// Each place. In their order: an epoch, a checkpoint, one that is kept, a sink's commit, a definition, a start, an end,
        /// a restore.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FailPoint {
            $($(#[$meaning])* $point,)*
        }

        impl FailPoint {
            pub const ALL: &[FailPoint] = &[$(FailPoint::$point,)*];

            /// As it is written in `FLOE_FAILPOINTS`.
            pub fn name(self) -> &'static str {
                match self {
                    $(FailPoint::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// Before tables take a transaction's changes in, nothing of which is durable; an error answers it alone.
    TablesStep = "tables.step";
    /// An epoch's input is chosen, nothing of it is durable.
    EpochSealed = "epoch.sealed";
    /// Before one view, or one sink's query, takes the changes of its inputs; an error or a panic stops it alone.
    ViewStep = "view.step";
    /// Every relation has been stepped, and the epoch may be in the journal.
    EpochStepped = "epoch.stepped";
    /// The epoch is in the journal and every relation has been stepped, readers are where they were.
    JournalWritten = "journal.written";
    /// Readers see the epoch, the client has not been answered.
    EpochPublished = "epoch.published";
    /// What changed is taken out of the traces, and written nowhere.
    CheckpointCollected = "checkpoint.collected";
    /// Beside the epochs, right before the one write: large values may lie there already, and nothing names them.
    CheckpointWrite = "checkpoint.write";
    /// The checkpoint is durable, and nobody has been told.
    CheckpointWritten = "checkpoint.written";
    /// The driver knows that it is durable, the sinks do not.
    CheckpointTold = "checkpoint.told";
    /// A checkpoint is durable, and nothing is done yet to keep it.
    KeepBegun = "keep.begun";
    /// The kept checkpoint is whole, and has no name.
    KeepLinked = "keep.linked";
    /// It has its name; one more than there should be may be there.
    KeepNamed = "keep.named";
    /// A sink's files are written, their commit is not recorded.
    SinkPrepared = "sink.prepared";
    /// The commit is recorded as prepared, and has not been tried.
    SinkRecorded = "sink.recorded";
    /// The new metadata is written, the catalog has not been asked to swap.
    CommitReady = "commit.ready";
    /// The catalog has swapped, its answer has not been taken.
    CommitLanded = "commit.landed";
    /// The commit is known to have landed, what was staged for it is still there.
    SinkCommitted = "sink.committed";
    /// What was staged is forgotten.
    SinkForgot = "sink.forgot";
    /// Between two chunks of the past that a new view or sink is given.
    BackfillChunk = "backfill.chunk";
    /// A new object is made in memory, nothing of it is durable.
    DefinitionMade = "definition.made";
    /// A new object is durable, nobody can see it.
    DefinitionWritten = "definition.written";
    /// An object is gone from memory, and still in the store.
    DropMade = "drop.made";
    /// An object is gone from the store, readers still see it.
    DropWritten = "drop.written";
    /// At a start: the last checkpoint is loaded.
    RecoveryLoaded = "recovery.loaded";
    /// At a start: before a journalled epoch is done again.
    RecoveryReplay = "recovery.replay";
    /// At a start: all is done again, nobody can read yet.
    RecoveryDone = "recovery.done";
    /// At an end that was asked for: before its checkpoint.
    Shutdown = "shutdown";
    /// `floe checkpoints --restore`: the copy is whole beside the old state, and nothing is decided.
    RestoreCopied = "restore.copied";
    /// It is decided, and no file has moved.
    RestoreDecided = "restore.decided";
    /// First: the old files are aside, the new ones not there yet. Then: all is done.
    RestoreMoved = "restore.moved";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Kill,
    Error,
    Panic,
    Delay(Duration),
}

#[derive(Debug)]
struct Order {
    point: FailPoint,
    action: Action,
    /// At which time of being reached.
    at: u64,
    reached: AtomicU64,
}

static ORDERS: OnceLock<Vec<Order>> = OnceLock::new();

/// Takes the orders of `FLOE_FAILPOINTS`. Without a call, or with an empty text, nothing ever fails here.
///
/// # Errors
/// What is not understood, with what would be.
pub fn arm(text: &str) -> Result<(), String> {
    let orders = text.split(',').map(str::trim).filter(|order| !order.is_empty()).map(parse).collect::<Result<Vec<_>, _>>()?;
    if !orders.is_empty() {
        tracing::warn!("floe will fail on purpose: {text}");
        let _ = ORDERS.set(orders);
    }
    Ok(())
}

impl FailPoint {
    /// Does what was ordered for this place and time, if anything was.
    pub fn reach(self) -> Result<(), Report> {
        match ORDERS.get() {
            None => Ok(()),
            Some(orders) => orders.iter().filter(|order| order.point == self).try_for_each(Order::reach),
        }
    }
}

impl Order {
    fn reach(&self) -> Result<(), Report> {
        if self.reached.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return Ok(());
        }
        let name = self.point.name();
        tracing::warn!("fail point {name} is reached: {:?}", self.action);
        match self.action {
            Action::Kill => std::process::abort(),
            Action::Error => Err(Report::error(SqlState::IO_ERROR, format!("fail point {name}")).detail("A test asked for it.")),
            Action::Panic => panic!("fail point {name}"),
            Action::Delay(time) => {
                std::thread::sleep(time);
                Ok(())
            }
        }
    }
}

fn parse(order: &str) -> Result<Order, String> {
    let wrong = |what: &str| format!("FLOE_FAILPOINTS: {what} in \"{order}\"; write POINT=kill|error|panic|delay:MS[@TIME]");
    let (name, rest) = order.split_once('=').ok_or_else(|| wrong("no action"))?;
    let point = FailPoint::ALL.iter().find(|point| point.name() == name).ok_or_else(|| {
        let names: Vec<&str> = FailPoint::ALL.iter().map(|point| point.name()).collect();
        format!("{}. The points: {}", wrong("unknown point"), names.join(" "))
    })?;
    let (action, at) = match rest.split_once('@') {
        Some((action, at)) => (action, at.parse().ok().filter(|at| *at > 0).ok_or_else(|| wrong("a time that is no number"))?),
        None => (rest, 1),
    };
    let action = match action.split_once(':') {
        None if action == "kill" => Action::Kill,
        None if action == "error" => Action::Error,
        None if action == "panic" => Action::Panic,
        Some(("delay", millis)) => Action::Delay(Duration::from_millis(millis.parse().map_err(|_| wrong("a delay that is no number"))?)),
        _ => return Err(wrong("unknown action")),
    };
    Ok(Order { point: *point, action, at, reached: AtomicU64::new(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_mistakes_are_named() {
        let order = parse("journal.written=delay:50@3").unwrap();
        assert_eq!((order.point, order.action, order.at), (FailPoint::JournalWritten, Action::Delay(Duration::from_millis(50)), 3));
        for point in FailPoint::ALL {
            assert_eq!(parse(&format!("{}=kill", point.name())).unwrap().point, *point);
        }
        for (text, words) in [
            ("journal=kill", "unknown point"),
            ("shutdown", "no action"),
            ("shutdown=stop", "unknown action"),
            ("shutdown=delay:soon", "a delay that is no number"),
            ("shutdown=kill@0", "a time that is no number"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_order_happens_at_its_time_and_once() {
        let order = parse("sink.recorded=error@2").unwrap();
        let found: Vec<bool> = (0..4).map(|_| order.reach().is_err()).collect();
        assert_eq!(found, [false, true, false, false]);
    }
}
