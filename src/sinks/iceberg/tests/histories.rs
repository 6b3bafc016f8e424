//! Random histories against a map: each snapshot of the table must be the map at its epoch, whatever crashed in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::lake::{Lake, print, read, spec};
use crate::sinks::iceberg::marker;
use crate::zset::ZSet;

type Model = BTreeMap<Option<i64>, Option<String>>;

fn show(model: &Model) -> String {
    let mut lines: Vec<String> = model
        .iter()
        .map(|(k, v)| format!("{} {}\n", k.map_or("NULL".into(), |k| k.to_string()), v.clone().unwrap_or("NULL".into())))
        .collect();
    lines.sort();
    lines.concat()
}

/// The change from one map to the next, rows in an order of the generator's choice.
fn change(rng: &mut SmallRng, before: &Model, after: &Model) -> ZSet {
    let mut rows: Vec<(Option<i64>, Option<String>, i64)> = Vec::new();
    for (k, v) in before.iter().filter(|(k, v)| after.get(*k) != Some(*v)) {
        rows.push((*k, v.clone(), -1));
    }
    for (k, v) in after.iter().filter(|(k, v)| before.get(*k) != Some(*v)) {
        rows.push((*k, v.clone(), 1));
    }
    for at in (1..rows.len()).rev() {
        rows.swap(at, rng.random_range(0..=at));
    }
    let schema = super::lake::zset("").schema();
    let keys: Int64Array = rows.iter().map(|row| row.0).collect();
    let values: StringArray = rows.iter().map(|row| row.1.clone()).collect();
    let weights: Int64Array = rows.iter().map(|row| row.2).collect();
    ZSet::new(RecordBatch::try_new(schema, vec![Arc::new(keys), Arc::new(values)]).unwrap(), weights)
}

async fn history(seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "upsert")).await;
    let (mut model, mut history) = (Model::new(), BTreeMap::new());
    for _ in 0..25 {
        let before = model.clone();
        for _ in 0..rng.random_range(0..6) {
            let key = (rng.random_range(0..10) > 0).then(|| rng.random_range(0..8));
            match rng.random_range(0..4) {
                0 => model.remove(&key),
                1 => model.insert(key, None),
                _ => model.insert(key, Some(format!("v{}", rng.random_range(0..100)))),
            };
        }
        let delta = change(&mut rng, &before, &model);
        let mut prepared = lake.prepare(delta.clone()).await.unwrap();
        if rng.random_bool(0.2) {
            // A crash before the prepared commit was recorded: its files are garbage.
            lake.restart().await;
            prepared = lake.prepare(delta).await.unwrap();
        }
        if rng.random_bool(0.3) {
            lake.restart().await;
        }
        if rng.random_bool(0.3) {
            // A crash after the commit landed and before floe wrote that down.
            lake.sink.commit(&prepared).await.unwrap();
            lake.restart().await;
        }
        lake.commit(&prepared).await.unwrap();
        lake.sink.commit(&prepared).await.unwrap();
        if !prepared.payload.is_empty() {
            history.insert(prepared.epoch.0, show(&model));
        }
        assert_eq!(lake.index.rows(), model.len(), "seed {seed}");
    }
    let table = lake.table().await;
    assert_eq!(table.metadata.snapshots().len(), history.len(), "one snapshot an epoch with changes, seed {seed}");
    for snapshot in table.metadata.snapshots() {
        let epoch = marker::of_snapshot(snapshot, "sink-1").unwrap();
        assert_eq!(print(&read(&table, snapshot.snapshot_id()).await), history[&epoch], "seed {seed}, epoch {epoch}");
    }
    assert_eq!(lake.sink.committed().await.unwrap().map(|e| e.0), history.keys().last().copied());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_snapshot_is_the_map_at_its_epoch() {
    for seed in 0..6 {
        history(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_over_many_files_are_found_again() {
    use crate::sinks::iceberg::fault::Secrets;
    use crate::sinks::iceberg::schema::Projection;
    use crate::sinks::iceberg::write::Writer;
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::create(spec(folder.path(), "upsert")).await;
    let table = lake.table().await;
    let secrets = Secrets::default();
    let writer = Writer { file_io: &table.file_io, metadata: &table.metadata, secrets: &secrets, target_bytes: 1000 };
    let projection = Projection::new(&lake.spec.schema, table.metadata.current_schema(), "shop.t").unwrap();
    let keys: Int64Array = (0..30_000).collect::<Vec<i64>>().into();
    let values: StringArray = (0..30_000).map(|k| Some(format!("value {}", k * 7919 % 30_011))).collect();
    let rows = RecordBatch::try_new(super::lake::zset("").schema(), vec![Arc::new(keys), Arc::new(values)]).unwrap();
    let positions: Vec<u32> = (0..30_000).rev().collect();
    let written = writer.rows(&rows, &positions, &projection).await.unwrap();
    assert_eq!(written.files.len(), 4, "a file is closed after the chunk that fills it");
    let places: Vec<_> = written.places().collect();
    assert_eq!(places.len(), 30_000);
    assert_eq!((places[8191].position, places[8192].position), (8191, 0));
    assert_ne!(places[8191].file, places[8192].file);
    assert_eq!(written.files[0].lower_bounds()[&1].to_string(), "21808", "bounds are those of the rows in the file");
}
