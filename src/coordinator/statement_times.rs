//! How long statements take inside the server: from the first message of a statement to the last byte of its answer handed
//! to the kernel. What the network, the client and its driver take is not in it.

use std::time::Instant;

use prometheus::{HistogramOpts, HistogramVec, Registry};

/// The kinds that are told apart, by the first word of the command tag.
const KINDS: &[&str] = &["select", "insert", "update", "delete", "copy", "create", "drop", "begin", "commit", "rollback", "set", "show"];
const OTHER: &str = "other";

/// A handle; clones are the same histogram.
#[derive(Clone, Default)]
pub struct StatementTimes(Option<HistogramVec>);

impl StatementTimes {
    pub fn new(registry: &Registry) -> Result<StatementTimes, prometheus::Error> {
        let buckets = vec![
            0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0004, 0.0005, 0.0006, 0.0007, 0.0008, 0.0009, 0.001, 0.00125, 0.0015, 0.002, 0.003,
            0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
        ];
        let help = "Time of a statement in the server, from its first message to its answer's last byte";
        let histogram = HistogramVec::new(HistogramOpts::new("floe_statement_seconds", help).buckets(buckets), &["kind"])?;
        registry.register(Box::new(histogram.clone()))?;
        Ok(StatementTimes(Some(histogram)))
    }

    pub fn begin(&self) -> Instant {
        Instant::now()
    }

    /// Notes a statement that has been answered with this command tag.
    pub fn end(&self, tag: &str, began: Instant) {
        if let Some(histogram) = &self.0 {
            histogram.with_label_values(&[kind_of(tag)]).observe(began.elapsed().as_secs_f64());
        }
    }
}

fn kind_of(tag: &str) -> &'static str {
    let word = tag.split(' ').next().unwrap_or_default();
    KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(word)).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_few() {
        let kinds = ["SELECT 3", "INSERT 0 1", "CREATE TABLE", "FLUSH", ""].map(kind_of);
        assert_eq!(kinds, ["select", "insert", "create", "other", "other"]);
    }

    #[test]
    fn a_statement_is_counted_by_its_kind() {
        let registry = Registry::new();
        let times = StatementTimes::new(&registry).unwrap();
        times.end("SELECT 1", times.begin());
        times.clone().end("SELECT 2", times.begin());
        StatementTimes::default().end("SELECT 3", times.begin());
        let counted = registry.gather()[0].get_metric().iter().map(|m| m.get_histogram().get_sample_count()).collect::<Vec<_>>();
        assert_eq!(counted, [2]);
    }
}
