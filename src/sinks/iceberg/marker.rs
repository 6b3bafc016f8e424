//! The mark that a sink leaves with each commit, in two places, and what they say together.
//!
//! The snapshot's summary holds `floe.sink-id` and `floe.epoch`; the table's property `floe.<sink-id>.epoch` holds the
//! epoch too. Both change in one commit. The property lives on when snapshots expire; the summary goes back with the
//! branch when someone rolls the table back, and the property does not: so a rollback shows as a difference.

use iceberg::spec::{SnapshotRef, TableMetadata};

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::fault::diverged;

pub const SINK_ID: &str = "floe.sink-id";
pub const EPOCH: &str = "floe.epoch";

/// The table property of a sink.
pub fn property(sink_id: &str) -> String {
    format!("floe.{sink_id}.epoch")
}

/// The epoch of a snapshot that this sink committed.
pub fn of_snapshot(snapshot: &SnapshotRef, sink_id: &str) -> Option<u64> {
    let properties = &snapshot.summary().additional_properties;
    if properties.get(SINK_ID).map(String::as_str) != Some(sink_id) {
        return None;
    }
    properties.get(EPOCH)?.parse().ok()
}

/// The snapshots of the main branch from the newest back, as far as the metadata still has them.
struct Ancestry<'a> {
    metadata: &'a TableMetadata,
    next: Option<i64>,
    /// True once the walk came to a snapshot that has expired.
    cut: bool,
}

impl<'a> Ancestry<'a> {
    fn new(metadata: &'a TableMetadata) -> Ancestry<'a> {
        Ancestry { metadata, next: metadata.current_snapshot_id(), cut: false }
    }
}

impl<'a> Iterator for Ancestry<'a> {
    type Item = &'a SnapshotRef;

    fn next(&mut self) -> Option<&'a SnapshotRef> {
        let found = self.metadata.snapshot_by_id(self.next?);
        match found {
            Some(snapshot) => self.next = snapshot.parent_snapshot_id(),
            None => {
                self.cut = true;
                self.next = None;
            }
        }
        found
    }
}

/// The newest epoch of this sink in the table.
///
/// # Errors
/// [`SinkError::Diverged`] when the branch and the table's properties disagree: the table was rolled back.
pub fn newest(metadata: &TableMetadata, sink_id: &str, table_name: &str) -> Result<Option<u64>, SinkError> {
    let stated: Option<u64> = metadata.properties().get(&property(sink_id)).and_then(|epoch| epoch.parse().ok());
    let mut ancestry = Ancestry::new(metadata);
    let seen = ancestry.find_map(|snapshot| of_snapshot(snapshot, sink_id));
    match (stated, seen) {
        (Some(stated), Some(seen)) if stated == seen => Ok(Some(stated)),
        // Expired, not rolled back: the property is all there is.
        (Some(stated), None) if ancestry.cut => Ok(Some(stated)),
        (None, None) => Ok(None),
        (stated, seen) => {
            let show = |epoch: Option<u64>| epoch.map_or("none".to_string(), |epoch| epoch.to_string());
            Err(diverged(
                format!("table \"{table_name}\" was rolled back or replaced"),
                format!(
                    "The newest epoch of this sink is {} by the table's properties and {} by its main branch.",
                    show(stated),
                    show(seen)
                ),
                "Roll the table forward again, or drop the sink and create it again with a new table.",
            ))
        }
    }
}

/// True when the main branch has this sink's commit of that epoch.
pub fn has_landed(metadata: &TableMetadata, sink_id: &str, epoch: u64) -> bool {
    Ancestry::new(metadata)
        .filter_map(|snapshot| of_snapshot(snapshot, sink_id))
        .take_while(|seen| *seen >= epoch)
        .any(|seen| seen == epoch)
}

/// True when the sink itself made every snapshot of the main branch, and none has expired: nobody else can have removed
/// one of its files.
pub fn is_alone(metadata: &TableMetadata, sink_id: &str) -> bool {
    let mut ancestry = Ancestry::new(metadata);
    let others = ancestry.any(|snapshot| of_snapshot(snapshot, sink_id).is_none());
    !others && !ancestry.cut
}
