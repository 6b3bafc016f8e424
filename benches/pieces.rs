//! What the pieces of floe cost one by one: `cargo bench`, or `cargo bench -- decode` for some of them.
//!
//! Each figure is of a batch of ten thousand rows, changes or records (`ROWS`), whose items a second are printed beside the
//! time. State that a piece works on is there before, and is as large after each round as it was before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::BytesMut;
use divan::Bencher;
use divan::counter::ItemsCount;
use floe::dataflow::profile::{Counts, Stopped};
use floe::dataflow::workers::Crew;
use floe::dataflow::{Circuit, Workers, exchange, parts};
use floe::planner::CircuitPlan;
use floe::planner::circuit_plan::{AggregateCall, AggregateFunction, JoinKind, SortKey};
use floe::server::row_sender::write_row;
use floe::sources::datagen::nexmark::{Kind, Nexmark};
use floe::sources::datagen::orders::{Orders, OrdersOptions};
use floe::sources::format::{Decoder, Record};
use floe::sources::gather::Gather;
use floe::sources::{Connector, Encode, Format, SourceSpec};
use floe::state::{Find, Journal, JournalEntry, Store, TraceSet, Writes};
use floe::types::form::{Values, Zone};
use floe::types::{Column, Epoch, ObjectId, Offsets, RelationSchema, SqlType, TraceId};
use floe::zset::{Delta, ZSet};

const ROWS: usize = 10_000;
const VIEW: ObjectId = ObjectId(2000);

fn main() {
    divan::main();
}

fn spec(columns: &[(&str, SqlType)], key: &[usize], format: Format, options: &[(&str, &str)]) -> SourceSpec {
    let mut schema = RelationSchema::new(columns.iter().map(|(name, sql_type)| Column::new(*name, sql_type.clone())).collect());
    schema.primary_key = key.to_vec();
    let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    SourceSpec { name: "s".to_string(), connector: Connector::File, options, format, encode: Encode::Json, schema }
}

fn decode(bencher: Bencher, spec: &SourceSpec, records: &[Vec<u8>]) {
    let mut decoder = Decoder::new(spec).expect("a right definition");
    let mut gather = Gather::new(&decoder, "bench", "0", usize::MAX).expect("columns that JSON can hold");
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for (offset, record) in records.iter().enumerate() {
            gather.take(&mut decoder, &Record::of_value(record), offset as i64, record.len());
        }
        let batch = gather.finish(records.len() as i64).expect("a batch");
        assert!(batch.dead.is_empty());
        batch
    });
}

#[divan::bench]
fn decode_plain_bids(bencher: Bencher) {
    let mut stream = Nexmark::new(10_000);
    let mut bids = Vec::with_capacity(ROWS);
    while bids.len() < ROWS {
        let mut record = Vec::new();
        if stream.write(&mut record).expect("an event") == Kind::Bid {
            bids.push(record);
        }
    }
    let names = ["auction", "bidder", "price", "channel", "url", "dateTime", "extra"];
    let types = [SqlType::BigInt, SqlType::BigInt, SqlType::BigInt, SqlType::Text, SqlType::Text, SqlType::Timestamp, SqlType::Text];
    let columns: Vec<(&str, SqlType)> = names.into_iter().zip(types).collect();
    decode(bencher, &spec(&columns, &[], Format::Plain, &[("timestamp.unit", "millis")]), &bids);
}

#[divan::bench]
fn decode_debezium_with_schema(bencher: Bencher) {
    let mut orders = Orders::new(OrdersOptions { seed: 1, parts: 1, customers: 1000, full_identity: false });
    let change = |_| {
        let mut value = Vec::new();
        orders.write(&mut Vec::new(), &mut value).expect("a change");
        value
    };
    let changes: Vec<Vec<u8>> = (0..ROWS).map(change).collect();
    let names = ["id", "customer_id", "amount", "created_at", "status", "note"];
    let types = [SqlType::BigInt, SqlType::BigInt, SqlType::BigInt, SqlType::Timestamp, SqlType::Text, SqlType::Text];
    let columns: Vec<(&str, SqlType)> = names.into_iter().zip(types).collect();
    decode(bencher, &spec(&columns, &[0], Format::Debezium, &[]), &changes);
}

fn schema(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect::<Vec<_>>()))
}

/// Rows `(k, v)`: `v` counts up from `first`, and `k` is spread over `keys`.
fn rows(first: usize, count: usize, keys: usize, weight: i64) -> ZSet {
    let key = (first..first + count).map(|n| (n * 7919 % keys) as i64);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(key)), Arc::new(Int64Array::from_iter_values((first..first + count).map(|n| n as i64)))];
    let batch = RecordBatch::try_new(schema(&["k", "v"]), columns).expect("two columns");
    ZSet::new(batch, vec![weight; count].into())
}

fn input(relation: u32, append_only: bool) -> Box<CircuitPlan> {
    Box::new(CircuitPlan::Input { relation: ObjectId(relation), name: "r".to_string(), schema: schema(&["k", "v"]), append_only })
}

fn fed(relation: u32, zset: ZSet) -> BTreeMap<ObjectId, Delta> {
    BTreeMap::from([(ObjectId(relation), Delta(zset))])
}

#[divan::bench(args = [1_000, 1_000_000])]
fn group_by_hash(bencher: Bencher, keys: usize) {
    let call = |function, argument, output| AggregateCall { function, argument, distinct: false, filter: None, output, lasting: false };
    let count = call(AggregateFunction::CountStar, None, DataType::Int64);
    let most = call(AggregateFunction::Max, Some(1), DataType::Int64);
    let (calls, schema) = (vec![count, most], schema(&["k", "n", "m"]));
    let plan = CircuitPlan::Aggregate { input: input(0, true), group: vec![0], windows: None, calls, schema };
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let mut circuit = Circuit::render(&plan, VIEW, &traces, 0, &Workers::one()).expect("a plan that can be run");
    circuit.step(Epoch(1), 0, &fed(0, rows(0, keys, keys, 1))).expect("a step");
    let mut next = keys;
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            next += ROWS;
            fed(0, rows(next, ROWS, keys, 1))
        })
        .bench_local_values(|inputs| circuit.pass(Epoch(2), 0, &inputs).expect("a step"));
}

/// The ten greatest of all rows, of which the greatest goes and comes again.
#[divan::bench(args = [1_000, 1_000_000])]
fn top_of_all(bencher: Bencher, rows_before: usize) {
    let order = vec![SortKey { column: 1, descending: true, nulls_first: true }];
    let plan = CircuitPlan::TopN { input: input(0, false), partition: vec![], order, limit: 10, rank: false, schema: schema(&["k", "v"]) };
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let mut circuit = Circuit::render(&plan, VIEW, &traces, 0, &Workers::one()).expect("a plan that can be run");
    circuit.step(Epoch(1), 0, &fed(0, rows(0, rows_before, rows_before, 1))).expect("a step");
    let change = |weight| fed(0, rows(rows_before - 1, 1, rows_before, weight));
    let (go, come) = (change(-1), change(1));
    bencher.counter(ItemsCount::new(2usize)).bench_local(|| [&go, &come].map(|inputs| circuit.pass(Epoch(2), 0, inputs).expect("a step")));
}

#[divan::bench(args = [1_000, 1_000_000])]
fn join_probe(bencher: Bencher, keys: usize) {
    let plan = CircuitPlan::Join {
        left: input(0, false),
        right: input(1, false),
        kind: JoinKind::Inner,
        on: vec![(0, 0)],
        null_equal: false,
        residual: None,
        schema: schema(&["a", "b", "c", "d"]),
    };
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let mut circuit = Circuit::render(&plan, VIEW, &traces, 0, &Workers::one()).expect("a plan that can be run");
    circuit.step(Epoch(1), 0, &fed(0, rows(0, keys, keys, 1))).expect("a step");
    let (come, go) = (fed(1, rows(0, ROWS, keys, 1)), fed(1, rows(0, ROWS, keys, -1)));
    bencher
        .counter(ItemsCount::new(2 * ROWS))
        .bench_local(|| [&come, &go].map(|inputs| circuit.pass(Epoch(2), 0, inputs).expect("a step")));
}

#[divan::bench(args = [1, 2])]
fn exchange_by_key(bencher: Bencher, workers: usize) {
    let (workers, counts) = (Workers::new(workers).expect("threads"), Counts::default());
    let crew = Crew { workers: &workers, stopwatch: &Stopped, counts: &counts };
    let change = Delta(rows(0, ROWS, ROWS, 1));
    let schema = change.schema();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let pieces = parts::pieces(vec![Some(change.clone())], parts::PIECE).expect("rows of the schema");
        let shards = exchange::exchange(pieces, &[0], &schema, &crew).expect("rows of the schema");
        assert_eq!(parts::rows_of(&shards), ROWS);
        shards
    });
}

#[divan::bench(args = [1_000, 1_000_000])]
fn trace_insert(bencher: Bencher, rows_before: usize) {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let trace = traces.trace(TraceId::new(VIEW, 0), schema(&["k", "v"]), 1).expect("a new trace");
    trace.insert(&rows(0, rows_before, rows_before, 1)).expect("rows of its schema");
    let (come, go) = (rows(rows_before, ROWS, usize::MAX >> 20, 1), rows(rows_before, ROWS, usize::MAX >> 20, -1));
    bencher.counter(ItemsCount::new(2 * ROWS)).bench_local(|| [&come, &go].map(|zset| trace.insert(zset).expect("rows of its schema")));
}

/// Rows come, a checkpoint writes them, they leave memory, and as many of all are looked up again: those that came, or any.
#[divan::bench(args = ["new", "any"])]
fn evict(bencher: Bencher, which: &str) {
    const BEFORE: usize = 1_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    // A quarter of it is for pages that were read again.
    let traces = TraceSet::within(Arc::new(Store::open(folder.path()).expect("an empty store")), 4 << 20);
    let kept = traces.arrangement(TraceId::new(VIEW, 0), schema(&["k", "v"]), &[1], Find::ByKey).expect("a new arrangement");
    let checkpoint = || {
        let mut writes = Writes::new();
        traces.dirty(&mut writes).expect("what changed");
        traces.store().write(writes, false).expect("a write");
        traces.evict_down_to(0).expect("rows that leave");
    };
    kept.insert(&rows(0, BEFORE, BEFORE, 1)).expect("rows of its schema");
    checkpoint();
    let mut first = BEFORE;
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        kept.insert(&rows(first, ROWS, BEFORE, 1)).expect("rows of its schema");
        checkpoint();
        let wanted: Vec<i64> = match which {
            "new" => (first..first + ROWS).map(|n| n as i64).collect(),
            _ => (0..ROWS).map(|n| (n * 7919 % BEFORE) as i64).collect(),
        };
        first += ROWS;
        let keys: ArrayRef = Arc::new(Int64Array::from(wanted));
        let found = kept.lookup(&[keys], ROWS).expect("rows that are there");
        assert_eq!(found.rows.len(), ROWS);
        found
    });
}

/// Records that changed since the last one, put together and written with a sync.
#[divan::bench]
fn checkpoint_write(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(Store::open(folder.path()).expect("an empty store"));
    let traces = TraceSet::new(store.clone());
    let records = traces.records(TraceId::new(VIEW, 0), 16).expect("new records");
    let keys: Vec<[u8; 8]> = (0..ROWS as u64).map(|n| (n * 7919).to_be_bytes()).collect();
    let mut round = 0u64;
    let change = || {
        round += 1;
        let mut table = records.lock();
        for key in &keys {
            let slot = table.find(key).expect("nothing has left memory");
            let slot = slot.unwrap_or_else(|| table.insert(key));
            table.record_mut(slot)[..8].copy_from_slice(&round.to_le_bytes());
        }
    };
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(change).bench_local_values(|()| {
        let mut writes = Writes::new();
        traces.dirty(&mut writes).expect("what changed");
        store.write(writes, true).expect("a write");
    });
}

/// One epoch of one source, with a sync.
#[divan::bench]
fn journal_append(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("an empty store");
    let mut epoch = 0;
    bencher
        .with_inputs(|| {
            epoch += 1;
            let mut offsets = Offsets::default();
            offsets.set("orders-0", epoch as i64 * 1000);
            JournalEntry {
                epoch: Epoch(epoch),
                now: epoch as i64,
                offsets: BTreeMap::from([(ObjectId(1001), offsets)]),
                tables: Vec::new(),
            }
        })
        .bench_local_values(|entry| Journal::append(&store, &entry).expect("a write"));
}

/// Rows of a bigint, a text and a timestamp as messages: format 0 is text, 1 binary.
#[divan::bench(args = [0, 1])]
fn encode_rows(bencher: Bencher, format: i16) {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS as i64).map(|n| n * 1_000_003)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| format!("https://example.org/page/{n}"))));
    let times: ArrayRef = Arc::new(arrow::array::TimestampMicrosecondArray::from_iter_values(
        (0..ROWS as i64).map(|n| 1_700_000_000_000_000 + n * 1_234_567),
    ));
    let types = [SqlType::BigInt, SqlType::Text, SqlType::Timestamp];
    let columns: Vec<Values> = [&numbers, &texts, &times]
        .into_iter()
        .zip(&types)
        .map(|(array, kind)| Values::new(array, kind).expect("an array of the type"))
        .collect();
    let (zone, formats) = (Zone::utc(), [format; 3]);
    let mut out = BytesMut::with_capacity(4 << 20);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        out.clear();
        (0..ROWS).for_each(|row| write_row(&columns, row, &formats, &zone, &mut out).expect("a row"));
    });
}
