//! Exactly once: twice is once, writers that race lose nothing, and a table that is not what floe left stops the sink.

use std::collections::HashMap;

use iceberg::TableUpdate;
use iceberg::spec::{ManifestListWriter, Operation, Snapshot, SnapshotReference, SnapshotRetention, Summary};

use super::lake::{Index, Lake, spec, zset};
use crate::sinks::SinkError;
use crate::sinks::iceberg::catalog::Swap;

fn diverged(result: Result<impl Sized, SinkError>) -> String {
    match result {
        Err(SinkError::Diverged { message, .. }) => message,
        Err(other) => panic!("not diverged: {}", other.report()),
        Ok(_) => panic!("not diverged: it went through"),
    }
}

fn main_at(snapshot: i64) -> TableUpdate {
    let retention = SnapshotRetention::branch(None, None, None);
    TableUpdate::SetSnapshotRef { ref_name: "main".into(), reference: SnapshotReference::new(snapshot, retention) }
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_by_weight_with_their_mark_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    assert_eq!(lake.sink.committed().await.unwrap(), None);
    lake.step("1 a +1\n2 b +3").await.unwrap();
    lake.step("").await.unwrap();
    lake.step("1 a +1\n3 NULL +1").await.unwrap();
    assert_eq!(lake.rows().await, "1 a\n1 a\n2 b\n2 b\n2 b\n3 NULL\n");
    let table = lake.table().await;
    assert_eq!(table.metadata.snapshots().len(), 2, "an epoch without changes has no snapshot");
    assert_eq!(table.metadata.properties()["floe.sink-1.epoch"], "3");
    let summary = table.metadata.current_snapshot().unwrap().summary();
    assert_eq!(summary.operation, Operation::Append);
    for (key, value) in
        [("floe.epoch", "3"), ("floe.sink-id", "sink-1"), ("added-records", "2"), ("total-records", "6"), ("total-data-files", "2")]
    {
        assert_eq!(summary.additional_properties[key], value, "{key}");
    }
    assert_eq!(table.metadata.history().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_deletes_by_position_and_never_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "upsert")).await;
    lake.step("1 a +1\n2 b +1").await.unwrap();
    lake.step("1 a -1\n1 A +1").await.unwrap();
    lake.step("2 b -1").await.unwrap();
    assert_eq!(lake.rows().await, "1 A\n");
    let table = lake.table().await;
    let operations: Vec<_> = table.metadata.history().iter().map(|log| table.metadata.snapshot_by_id(log.snapshot_id).unwrap()).collect();
    let shown: Vec<_> = operations
        .iter()
        .map(|s| (s.summary().operation.clone(), s.summary().additional_properties["total-position-deletes"].clone(), s.sequence_number()))
        .collect();
    assert_eq!(shown, [(Operation::Append, "0".into(), 1), (Operation::Overwrite, "1".into(), 2), (Operation::Delete, "2".into(), 3)]);
    assert!(operations.iter().all(|s| s.summary().additional_properties["total-equality-deletes"] == "0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_twice_or_after_a_later_one_is_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    let first = lake.prepare(zset("1 a +1")).await.unwrap();
    lake.restart().await;
    lake.commit(&first).await.unwrap();
    lake.sink.commit(&first).await.unwrap();
    lake.step("2 b +1").await.unwrap();
    lake.restart().await;
    lake.sink.commit(&first).await.unwrap();
    assert_eq!(lake.rows().await, "1 a\n2 b\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let mut spec = spec(folder.path(), "append-only");
        spec.sink_id = format!("sink-{writer}");
        let mut lake = Lake::create(spec).await;
        tasks.push(tokio::spawn(async move {
            for round in 0..8 {
                lake.step(&format!("{writer} r{round} +1")).await.unwrap_or_else(|e| panic!("{}", e.report()));
            }
            lake
        }));
    }
    let mut lakes = Vec::new();
    for task in tasks {
        lakes.push(task.await.unwrap());
    }
    let rows = lakes[0].rows().await;
    let expected: String = (0..4).flat_map(|w| (0..8).map(move |r| format!("{w} r{r}\n"))).collect();
    assert_eq!(rows, expected);
    for lake in &mut lakes {
        assert_eq!(lake.sink.committed().await.unwrap().map(|e| e.0), Some(8));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_over_an_old_base_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    let old = lake.table().await;
    lake.step("1 a +1").await.unwrap();
    let property = TableUpdate::SetProperties { updates: HashMap::from([("x".to_string(), "y".to_string())]) };
    assert!(matches!(lake.catalog().swap(&old, vec![property.clone()]).await, Swap::Conflict(_)));
    let new = lake.table().await;
    assert_eq!(lake.catalog().swap(&new, vec![property]).await, Swap::Landed);
    lake.step("2 b +1").await.unwrap();
    assert_eq!(lake.rows().await, "1 a\n2 b\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_table_stops_the_sink() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    lake.step("1 a +1").await.unwrap();
    let first = lake.table().await.metadata.current_snapshot_id().unwrap();
    lake.step("2 b +1").await.unwrap();
    let next = lake.prepare(zset("3 c +1")).await.unwrap();
    assert_eq!(lake.catalog().swap(&lake.table().await, vec![main_at(first)]).await, Swap::Landed);
    for message in [diverged(lake.commit(&next).await), diverged(lake.prepare(zset("3 c +1")).await), diverged(lake.sink.committed().await)]
    {
        assert_eq!(message, "table \"shop.t\" was rolled back or replaced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_marker_outlives_the_expiry_of_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "upsert")).await;
    lake.step("1 a +1").await.unwrap();
    let ours = lake.table().await;
    let mut other = Lake::create({
        let mut spec = spec(folder.path(), "append-only");
        spec.sink_id = "other".into();
        spec
    })
    .await;
    other.step("9 z +1").await.unwrap();
    let expire = TableUpdate::RemoveSnapshots { snapshot_ids: vec![ours.metadata.current_snapshot_id().unwrap()] };
    assert_eq!(lake.catalog().swap(&lake.table().await, vec![expire]).await, Swap::Landed);
    assert_eq!(lake.sink.committed().await.unwrap().map(|e| e.0), Some(1));
    lake.step("1 a -1\n1 b +1").await.unwrap();
    assert_eq!(lake.rows().await, "1 b\n9 z\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_or_replaced_table_is_never_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    lake.step("1 a +1").await.unwrap();
    let next = lake.prepare(zset("2 b +1")).await.unwrap();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}/catalog.db", folder.path().display())).await.unwrap();
    sqlx::query("DELETE FROM iceberg_tables").execute(&pool).await.unwrap();
    assert_eq!(diverged(lake.commit(&next).await), "table \"shop.t\" has been dropped");
    let mut spec = spec(folder.path(), "append-only");
    spec.sink_id = "other".into();
    Lake::create(spec).await.step("5 e +1").await.unwrap();
    assert_eq!(diverged(lake.commit(&next).await), "table \"shop.t\" has been dropped and created again");
    assert_eq!(diverged(lake.prepare(zset("2 b +1")).await), "table \"shop.t\" has been dropped and created again");
    assert_eq!(lake.rows().await, "5 e\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_ahead_of_floes_memory_stops_the_sink() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    lake.step("1 a +1").await.unwrap();
    let backup: Index = lake.index.copy();
    lake.step("2 b +1").await.unwrap();
    lake.index = backup;
    lake.epoch = 1;
    assert_eq!(diverged(lake.prepare(zset("2 b +1")).await), "table \"shop.t\" holds commits of this sink that floe does not know");
    assert_eq!(diverged(lake.sink.check(&lake.index).await), "table \"shop.t\" holds commits of this sink that floe does not know");
    lake.index = Index::default();
    assert_eq!(diverged(lake.prepare(zset("2 b +1")).await), "table \"shop.t\" holds commits of this sink that floe does not know");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_goes_on_finds_its_table_as_it_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "upsert")).await;
    lake.sink.check(&lake.index).await.unwrap_or_else(|e| panic!("{}", e.report()));
    lake.step("1 a +1").await.unwrap();
    lake.restart().await;
    lake.sink.check(&lake.index).await.unwrap_or_else(|e| panic!("{}", e.report()));
}

/// floe was put back to an earlier checkpoint, and a commit that it had sent before that lands only now. Epochs after a
/// restore have numbers of their own; under the number of the other commit this one would be taken for landed.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_of_a_replaced_state_is_none_of_its_successors() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    lake.step("1 a +1").await.unwrap();
    let before = lake.prepare(zset("2 old +1")).await.unwrap();
    lake.epoch = 1_000_000_000_000;
    let after = lake.prepare(zset("2 new +1")).await.unwrap();
    lake.sink.commit(&before).await.unwrap();
    assert_eq!(diverged(lake.commit(&after).await), "table \"shop.t\" holds commits of this sink that floe does not know");
    assert_eq!(lake.rows().await, "1 a\n2 old\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_removed_before_their_commit_are_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    let prepared = lake.prepare(zset("1 a +1")).await.unwrap();
    for file in std::fs::read_dir(folder.path().join("warehouse/shop/t/data")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(diverged(lake.commit(&prepared).await), "a file of the prepared commit of epoch 1 is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_do_not_miss_rows_that_another_writer_moved() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "upsert")).await;
    lake.step("1 a +1").await.unwrap();
    let prepared = lake.prepare(zset("1 a -1\n1 b +1")).await.unwrap();
    let table = lake.table().await;
    let path = format!("{}/metadata/foreign.avro", table.metadata.location());
    let output = table.file_io.new_output(&path).unwrap().writer().await.unwrap();
    ManifestListWriter::v2(output, 77, table.metadata.current_snapshot_id(), 2).close().await.unwrap();
    let snapshot = Snapshot::builder()
        .with_snapshot_id(77)
        .with_parent_snapshot_id(table.metadata.current_snapshot_id())
        .with_sequence_number(2)
        .with_timestamp_ms(table.metadata.last_updated_ms())
        .with_manifest_list(path)
        .with_summary(Summary { operation: Operation::Replace, additional_properties: HashMap::new() })
        .build();
    let updates = vec![TableUpdate::AddSnapshot { snapshot }, main_at(77)];
    assert_eq!(lake.catalog().swap(&table, updates).await, Swap::Landed);
    assert_eq!(diverged(lake.commit(&prepared).await), "data files of table \"shop.t\" were rewritten or removed by another writer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_unique_stops_the_sink_before_anything_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "upsert")).await;
    lake.step("1 a +1").await.unwrap();
    assert_eq!(diverged(lake.step("1 b +1").await), "sink key is not unique: (k)=(1)");
    assert_eq!(lake.rows().await, "1 a\n");
    lake.step("1 a -1\n1 b +1").await.unwrap();
    assert_eq!(lake.rows().await, "1 b\n");
}
