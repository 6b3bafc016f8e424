//! What operators of floe watch: counters and gauges, in Prometheus' text form.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use prometheus::{Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use tokio::sync::watch;

use crate::state::{KeptCheckpoint, TraceSet, kept};
use crate::types::{Epoch, ObjectId, Report};

use super::operator_gauges::OperatorGauges;
use super::published::Frontier;
use super::relation::SourceCounts;
use super::sink_status::SinkStatus;
use super::statement_times::StatementTimes;

pub struct Metrics {
    registry: Registry,
    pub journal: Histogram,
    pub checkpoint: Histogram,
    /// Epochs wait while what changed is put together; the write is beside them.
    pub checkpoint_stall: Histogram,
    pub keep: Histogram,
    kept: IntCounter,
    kept_failures: IntCounter,
    pub statements: StatementTimes,
    step: Histogram,
    epochs: IntCounter,
    epoch: IntGauge,
    records: IntGaugeVec,
    bytes: IntGaugeVec,
    dead: IntGaugeVec,
    ignored_deletes: IntGaugeVec,
    sink_epoch: IntGaugeVec,
    sink_commits: IntGaugeVec,
    sink_failing: IntGaugeVec,
    start_seconds: Gauge,
    rows_memory: IntGauge,
    pages_memory: IntGauge,
    operators: OperatorGauges,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sinks: BTreeMap<ObjectId, watch::Receiver<SinkStatus>>,
    sources: BTreeMap<ObjectId, SourceCounts>,
    source_errors: BTreeMap<ObjectId, Report>,
    broken: Option<String>,
    checkpoints: Checkpoints,
}

/// The checkpoints that there are.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    /// The newest, and its time; microseconds since 1970 UTC.
    pub newest: Option<(Epoch, i64)>,
    /// In the order of their epochs.
    pub kept: Vec<KeptCheckpoint>,
}

impl Metrics {
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let seconds = |name: &str, help: &str| -> Result<Histogram, prometheus::Error> {
            let buckets = vec![0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let gauge = |name: &str, help: &str, label: &str| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let metrics = Metrics {
            journal: seconds("floe_journal_seconds", "Time to make an epoch durable in the journal")?,
            checkpoint_stall: seconds("floe_checkpoint_stall_seconds", "Time for which a checkpoint stops the epochs")?,
            checkpoint: seconds("floe_checkpoint_seconds", "Time to write a checkpoint")?,
            keep: seconds("floe_checkpoint_keep_seconds", "Time to keep a checkpoint, beside the epochs")?,
            kept: IntCounter::new("floe_checkpoints_kept_total", "Checkpoints kept since the start")?,
            kept_failures: IntCounter::new("floe_checkpoints_not_kept_total", "Checkpoints that could not be kept, since the start")?,
            statements: StatementTimes::new(&registry)?,
            step: seconds("floe_step_seconds", "Time to run every circuit once")?,
            epochs: IntCounter::new("floe_epochs_total", "Epochs stepped since the start")?,
            epoch: IntGauge::new("floe_epoch", "The newest epoch")?,
            records: gauge("floe_source_records_total", "Records read since the start", "source")?,
            bytes: gauge("floe_source_bytes_total", "Bytes read since the start", "source")?,
            dead: gauge("floe_source_dead_letters_total", "Records that could not be decoded, since the start", "source")?,
            ignored_deletes: gauge("floe_source_ignored_deletes_total", "Deletes of keys that were not there", "source")?,
            sink_epoch: gauge("floe_sink_committed_epoch", "The newest epoch that the sink's target holds", "sink")?,
            sink_commits: gauge("floe_sink_commits_total", "Commits since the start", "sink")?,
            sink_failing: gauge("floe_sink_failing", "1 while the sink does not get on", "sink")?,
            start_seconds: Gauge::new("floe_start_seconds", "Time from the start to the first epoch that could be read")?,
            rows_memory: IntGauge::new("floe_state_rows_bytes", "Memory of state's rows that the disk has too, or will")?,
            pages_memory: IntGauge::new("floe_state_pages_bytes", "Memory of pages of rows that are on the disk alone")?,
            operators: OperatorGauges::new(&registry)?,
            inner: Mutex::default(),
            registry: registry.clone(),
        };
        registry.register(Box::new(metrics.kept.clone()))?;
        registry.register(Box::new(metrics.kept_failures.clone()))?;
        registry.register(Box::new(metrics.epochs.clone()))?;
        registry.register(Box::new(metrics.epoch.clone()))?;
        registry.register(Box::new(metrics.start_seconds.clone()))?;
        registry.register(Box::new(metrics.rows_memory.clone()))?;
        registry.register(Box::new(metrics.pages_memory.clone()))?;
        Ok(metrics)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn note_start(&self, took: Duration) {
        self.start_seconds.set(took.as_secs_f64());
    }

    pub fn note_epoch(&self, epoch: Epoch, took: Duration) {
        self.epochs.inc();
        self.epoch.set(epoch.0 as i64);
        self.step.observe(took.as_secs_f64());
    }

    pub fn note_source(&self, id: ObjectId, counts: SourceCounts) {
        self.inner().sources.insert(id, counts);
    }

    pub fn set_source_errors(&self, errors: BTreeMap<ObjectId, Report>) {
        self.inner().source_errors = errors;
    }

    pub fn set_sink(&self, id: ObjectId, status: watch::Receiver<SinkStatus>) {
        self.inner().sinks.insert(id, status);
    }

    pub fn note_checkpoint(&self, epoch: Epoch, at: i64) {
        self.inner().checkpoints.newest = Some((epoch, at));
    }

    pub fn set_kept(&self, kept: Vec<KeptCheckpoint>) {
        self.inner().checkpoints.kept = kept;
    }

    /// One more was kept, or could not be; which there are now, the directory says.
    pub fn note_kept(&self, dir: &Path, kept: bool) {
        if kept {
            self.kept.inc()
        } else {
            self.kept_failures.inc()
        }
        match kept::list(dir) {
            Ok(kept) => self.set_kept(kept),
            Err(error) => tracing::error!("{}", error.report()),
        }
    }

    pub fn checkpoints(&self) -> Checkpoints {
        self.inner().checkpoints.clone()
    }

    pub fn set_broken(&self, why: String) {
        self.inner().broken = Some(why);
    }

    /// Why the database makes no new epochs any more, if so.
    pub fn broken(&self) -> Option<String> {
        self.inner().broken.clone()
    }

    pub fn source(&self, id: ObjectId) -> (SourceCounts, Option<Report>) {
        let inner = self.inner();
        (inner.sources.get(&id).copied().unwrap_or_default(), inner.source_errors.get(&id).cloned())
    }

    pub fn sink(&self, id: ObjectId) -> Option<watch::Receiver<SinkStatus>> {
        self.inner().sinks.get(&id).cloned()
    }

    /// All of it in Prometheus' text form; objects by the names that they have now.
    pub fn text(&self, frontier: &Arc<Frontier>, traces: &TraceSet) -> String {
        let published = frontier.get();
        self.operators.set(&published, traces);
        let (rows, pages) = traces.rows_and_pages();
        self.rows_memory.set(rows as i64);
        self.pages_memory.set(pages as i64);
        let name = |id: &ObjectId| published.catalog.get(*id).map(|e| e.name.clone());
        {
            let inner = self.inner();
            for (id, counts) in &inner.sources {
                let Some(name) = name(id) else { continue };
                self.records.with_label_values(&[&name]).set(counts.records as i64);
                self.bytes.with_label_values(&[&name]).set(counts.bytes as i64);
                self.dead.with_label_values(&[&name]).set(counts.dead as i64);
                self.ignored_deletes.with_label_values(&[&name]).set(counts.ignored_deletes as i64);
            }
            for (id, status) in &inner.sinks {
                let Some(name) = name(id) else { continue };
                let status = status.borrow();
                self.sink_epoch.with_label_values(&[&name]).set(status.committed.0 as i64);
                self.sink_commits.with_label_values(&[&name]).set(status.commits as i64);
                self.sink_failing.with_label_values(&[&name]).set(i64::from(status.error.is_some()));
            }
        }
        let mut out = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(error) => format!("# {error}\n"),
        }
    }
}
