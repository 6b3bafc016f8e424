//! A source's thread: polls, decodes, and hands records to the epoch driver, no faster than it takes them.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use crate::sources::{Budget, Reading, Source, SourceBatch, SourceSpec};
use crate::types::{ObjectId, Offsets, Report};

use super::command::Event;
use super::queues::Queue;

/// While there is much to read a poll brings much: the more of it is in an epoch, the less each record costs. Twice as
/// many gain hardly more, and take room.
const RECORDS: usize = 131_072;
/// How long a source that tells when something comes is waited for.
const WAIT: Duration = Duration::from_millis(20);
/// How long a source that does not answer is left alone before it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long records wait that nobody reads. A source and what reads it are mostly defined one right after the other, and
/// records that came before their reader have to be read and decoded once more for it.
const LEISURE: Duration = Duration::from_millis(250);

enum Order {
    Ends { token: u64 },
    Checkpointed(Offsets),
    Stop,
}

/// The driver's end of a source's thread.
pub struct SourceWorker {
    orders: Sender<Order>,
    queue: Arc<Queue>,
}

impl SourceWorker {
    /// Starts reading at `from`, without haste where nothing is made of the records yet. `run` is a number that no other
    /// reader of the source has.
    pub fn start(
        (id, run): (ObjectId, u64),
        spec: SourceSpec,
        (reading, haste): (Reading, bool),
        from: Offsets,
        (events, queue): (Sender<Event>, Queue),
    ) -> Result<SourceWorker, Report> {
        let (orders, inbox) = mpsc::channel();
        let queue = Arc::new(queue);
        let same = queue.clone();
        std::thread::Builder::new()
            .name(format!("source-{}", spec.name))
            .spawn(move || Reader { id, run, spec, reading, haste, events, inbox, queue: same }.run(from))
            .map_err(Report::internal)?;
        Ok(SourceWorker { orders, queue })
    }

    /// The driver has taken that many bytes.
    pub fn taken(&self, bytes: usize) {
        self.queue.go(bytes);
    }

    /// Asks for the ends; the answer comes as [`Event::Ends`] with this token.
    pub fn ask_ends(&self, token: u64) -> bool {
        self.orders.send(Order::Ends { token }).is_ok()
    }

    pub fn checkpointed(&self, offsets: &Offsets) {
        // A thread that has ended has nothing to be told.
        let _ = self.orders.send(Order::Checkpointed(offsets.clone()));
    }
}

impl Drop for SourceWorker {
    fn drop(&mut self) {
        // The thread ends by itself, after what it waits for now; nobody waits for it.
        let _ = self.orders.send(Order::Stop);
    }
}

struct Reader {
    id: ObjectId,
    run: u64,
    spec: SourceSpec,
    reading: Reading,
    haste: bool,
    events: Sender<Event>,
    inbox: Receiver<Order>,
    queue: Arc<Queue>,
}

impl Reader {
    fn run(self, from: Offsets) {
        let mut failing = false;
        let mut source = loop {
            match crate::sources::open(&self.spec, &self.reading).and_then(|mut s| s.resume(&from, None).map(|()| s)) {
                Ok(source) => break source,
                Err(error) => {
                    failing = true;
                    if !self.report(&error) || !self.wait_to_retry() {
                        return;
                    }
                }
            }
        };
        if !self.haste && !self.wait_for_readers(source.as_mut()) {
            return;
        }
        loop {
            match self.inbox.try_recv() {
                Ok(order) => {
                    if !self.obey(order, Some(source.as_mut())) {
                        return;
                    }
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            if self.queue.is_full() {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            // Where nobody tells when something comes, the wait is for the next look or for an order.
            let pause = source.pause();
            let wait = if pause.is_some() { Duration::ZERO } else { WAIT };
            match source.poll(Budget { records: RECORDS, bytes: self.queue.reading(), wait }) {
                Ok(batches) => {
                    if failing {
                        failing = false;
                        self.tell(Event::SourceState { source: self.id, run: self.run, error: None, stopped: false });
                    }
                    if !batches.is_empty() {
                        let bytes = batches.iter().map(SourceBatch::held).sum();
                        self.queue.come(bytes);
                        self.tell(Event::Records { source: self.id, run: self.run, batches });
                    } else if source.finished() {
                        // Nothing more will come; orders still do.
                        let Ok(order) = self.inbox.recv() else { return };
                        if !self.obey(order, Some(source.as_mut())) {
                            return;
                        }
                    } else if let Some(pause) = pause {
                        match self.inbox.recv_timeout(pause) {
                            Ok(order) => {
                                if !self.obey(order, Some(source.as_mut())) {
                                    return;
                                }
                            }
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Disconnected) => return,
                        }
                    }
                }
                Err(error) => {
                    failing = true;
                    if !self.report(&error) || !self.wait_to_retry() {
                        return;
                    }
                }
            }
        }
    }

    fn tell(&self, event: Event) {
        // The driver is gone only when the process ends.
        let _ = self.events.send(event);
    }

    /// Tells the driver what is wrong. False when trying again is of no use.
    fn report(&self, error: &crate::sources::SourceError) -> bool {
        let transient = error.is_transient();
        tracing::warn!(source = %self.spec.name, "{}", error.report());
        self.tell(Event::SourceState { source: self.id, run: self.run, error: Some(error.report()), stopped: !transient });
        if !transient {
            // Stays to answer, so that a FLUSH is told rather than left waiting.
            while let Ok(order) = self.inbox.recv() {
                if let Order::Ends { token } = order {
                    self.tell(Event::Ends { source: self.id, token, ends: Err(error.report()) });
                } else if let Order::Stop = order {
                    break;
                }
            }
        }
        transient
    }

    fn wait_to_retry(&self) -> bool {
        match self.inbox.recv_timeout(RETRY) {
            Ok(order) => self.obey(order, None),
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Waits until somebody may wait for the records: who asks for the ends does. False when the thread is to end.
    fn wait_for_readers(&self, source: &mut (dyn Source + 'static)) -> bool {
        let until = Instant::now() + LEISURE;
        loop {
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(order) => {
                    let asked = matches!(order, Order::Ends { .. });
                    if !self.obey(order, Some(&mut *source)) {
                        return false;
                    }
                    if asked {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// False when the thread is to end.
    fn obey(&self, order: Order, source: Option<&mut (dyn Source + 'static)>) -> bool {
        match order {
            Order::Stop => return false,
            Order::Ends { token } => {
                let ends = match source {
                    Some(source) => source.ends().map_err(|e| e.report()),
                    None => crate::sources::open(&self.spec, &self.reading).and_then(|mut s| s.ends()).map_err(|e| e.report()),
                };
                self.tell(Event::Ends { source: self.id, token, ends });
            }
            Order::Checkpointed(offsets) => {
                if let Some(source) = source {
                    source.checkpointed(&offsets);
                }
            }
        }
        true
    }
}
