//! What EXPLAIN ANALYZE tells of each operator, as figures for Prometheus.

use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

use crate::dataflow::profile::Counts;
use crate::state::{TraceSet, Usage};

use super::published::Published;
use super::relation::ROWS;

/// The relation, the operator's place in its circuit (inputs before their consumer), and the operator's name.
const LABELS: [&str; 3] = ["relation", "place", "operator"];

pub struct OperatorGauges {
    rows_in: IntGaugeVec,
    rows_out: IntGaugeVec,
    seconds: GaugeVec,
    entries: IntGaugeVec,
    bytes: IntGaugeVec,
    evicted: IntGaugeVec,
    pages_found: IntGaugeVec,
    pages_read: IntGaugeVec,
}

impl OperatorGauges {
    pub fn new(registry: &Registry) -> Result<OperatorGauges, prometheus::Error> {
        let count = |name: &str, help: &str| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &LABELS)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let seconds = GaugeVec::new(Opts::new("floe_operator_seconds_total", "Time that the operator took, since the start"), &LABELS)?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(OperatorGauges {
            rows_in: count("floe_operator_rows_in_total", "Changes that the operator was given, since the start")?,
            rows_out: count("floe_operator_rows_out_total", "Changes that the operator made, since the start")?,
            seconds,
            entries: count("floe_operator_state_entries", "Entries of state that the operator holds")?,
            bytes: count("floe_operator_state_bytes", "Memory that the operator's state takes, an estimate")?,
            evicted: count("floe_operator_state_evicted_bytes", "Rows of the operator that are on the disk alone, an estimate")?,
            pages_found: count("floe_operator_pages_found_total", "Pages of such rows that were in memory when they were wanted")?,
            pages_read: count("floe_operator_pages_read_total", "Pages of such rows that were read from the disk")?,
        })
    }

    /// Takes the figures of now; what has been dropped is no longer shown.
    pub fn set(&self, published: &Published, traces: &TraceSet) {
        let pages = [&self.evicted, &self.pages_found, &self.pages_read];
        for gauge in [&self.rows_in, &self.rows_out, &self.entries, &self.bytes].into_iter().chain(pages) {
            gauge.reset();
        }
        self.seconds.reset();
        for (id, relation) in &published.relations {
            let (Some(profile), Some(entry)) = (&relation.profile, published.catalog.get(*id)) else { continue };
            for (place, operator) in profile.operators.iter().enumerate() {
                let labels = [entry.name.as_str(), &place.to_string(), operator.name];
                self.put(labels, &operator.counts, traces.usage_of(*id, operator.slots.clone()));
            }
            if relation.rows.is_some() {
                let labels = [entry.name.as_str(), &profile.operators.len().to_string(), "Materialize"];
                self.put(labels, &profile.kept, traces.usage_of(*id, ROWS..ROWS + 1));
            }
        }
    }

    fn put(&self, labels: [&str; 3], counts: &Counts, usage: Usage) {
        self.rows_in.with_label_values(&labels).set(counts.rows_in() as i64);
        self.rows_out.with_label_values(&labels).set(counts.rows_out() as i64);
        self.seconds.with_label_values(&labels).set(counts.nanos() as f64 / 1e9);
        self.entries.with_label_values(&labels).set(usage.entries as i64);
        self.bytes.with_label_values(&labels).set(usage.bytes as i64);
        self.evicted.with_label_values(&labels).set(usage.evicted as i64);
        self.pages_found.with_label_values(&labels).set(usage.pages.found as i64);
        self.pages_read.with_label_values(&labels).set(usage.pages.read as i64);
    }
}
