//! Small dense worlds: random histories of few keys, run through a circuit and judged by recomputation.
//!
//! Every history runs in many small epochs on the store in memory, then again on three workers with the rows of each epoch
//! scattered (shuffled, in single copies, among rows that come and go, in the smallest pieces), in one big epoch, on RocksDB with
//! crashes between checkpoints (the store is reopened and the epochs since the checkpoint run again) and rows that leave memory
//! behind most of them, and backwards until nothing is left. Two circuits that keep the sides of their joins together run it too,
//! and two that have everything in common, now one first, now the other. After every epoch the sum of the circuit's deltas is the query over the sum of its inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_plan::PhysicalExpr;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::planner::circuit_plan::{CircuitPlan, ScalarExpr};
use crate::state::{Store, TraceSet, Writes};
use crate::types::{Epoch, ObjectId, TraceId};
use crate::zset::text::print;
use crate::zset::{Delta, ZSet};

use super::circuit::in_common::InCommon;
use super::circuit::{Circuit, Output};
use super::side::Side;
use super::workers::Workers;

pub const VIEW: ObjectId = ObjectId(20000);
const TWIN: ObjectId = ObjectId(20001);

/// A row of int8 columns.
pub type Row = Vec<Option<i64>>;
/// A relation: rows and how often each is there.
pub type Rel = BTreeMap<Row, i64>;
/// Printed rows and how often each is there.
pub type Printed = BTreeMap<String, i64>;

/// A schema of int8 columns with those names.
pub fn columns(names: &str) -> SchemaRef {
    Arc::new(Schema::new(names.split(' ').map(|name| Field::new(name, DataType::Int64, true)).collect::<Vec<_>>()))
}

pub fn input(relation: u32, names: &str) -> Box<CircuitPlan> {
    Box::new(CircuitPlan::Input { relation: ObjectId(relation), name: format!("r{relation}"), schema: columns(names), append_only: false })
}

/// An input whose rows are never taken back.
pub fn growing(relation: u32, names: &str) -> Box<CircuitPlan> {
    Box::new(CircuitPlan::Input { relation: ObjectId(relation), name: format!("r{relation}"), schema: columns(names), append_only: true })
}

pub fn column(index: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new("c", index))
}

pub fn number(value: i64) -> Arc<dyn PhysicalExpr> {
    Arc::new(Literal::new(ScalarValue::Int64(Some(value))))
}

pub fn apply(left: Arc<dyn PhysicalExpr>, op: Op, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(left, op, right))
}

pub fn scalar(physical: Arc<dyn PhysicalExpr>) -> ScalarExpr {
    ScalarExpr { text: physical.to_string(), physical }
}

/// A row as `zset::text` prints it.
pub fn line(row: &[Option<i64>]) -> String {
    row.iter().map(|v| v.map_or("NULL".to_string(), |v| v.to_string())).collect::<Vec<_>>().join(" ")
}

pub fn count(into: &mut Printed, line: String, weight: i64) {
    let sum = into.entry(line.clone()).or_insert(0);
    *sum += weight;
    if *sum == 0 {
        into.remove(&line);
    }
}

pub fn zset(schema: &SchemaRef, rows: &Rel) -> ZSet {
    let columns = (0..schema.fields().len()).map(|c| Arc::new(rows.keys().map(|row| row[c]).collect::<Int64Array>()) as ArrayRef);
    let rows_batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
    ZSet::new(rows_batch, rows.values().copied().collect::<Vec<_>>().into())
}

/// Adds a Z-set's rows to what is printed.
pub fn add(into: &mut Printed, zset: &ZSet) {
    for text in print(zset).lines() {
        let (row, weight) = text.rsplit_once(' ').unwrap();
        count(into, row.trim_end().to_string(), weight.parse().unwrap());
    }
}

/// What the query should give over whole inputs: its rows and its errors ("sqlstate message").
pub type Oracle<'a> = &'a dyn Fn(&[Rel]) -> (Printed, Printed);

/// A change of each input; the sums of all inputs stay positive. Nulls are as frequent as other values.
fn random_change(rng: &mut SmallRng, widths: &[usize], sums: &mut [Rel], grows: bool) -> Vec<Rel> {
    let mut change: Vec<Rel> = widths.iter().map(|_| Rel::new()).collect();
    for _ in 0..rng.random_range(0..6) {
        let side = rng.random_range(0..widths.len());
        let row: Row = (0..widths[side]).map(|_| Some(rng.random_range(-1..=3)).filter(|v| *v >= 0)).collect();
        let sum = sums[side].entry(row.clone()).or_insert(0);
        let weight = rng.random_range(if grows { 0 } else { -2 }..=2).max(-*sum);
        *sum += weight;
        *change[side].entry(row).or_insert(0) += weight;
    }
    sums.iter_mut().for_each(|sum| sum.retain(|_, weight| *weight != 0));
    change
}

/// The same change, not consolidated; among rows that come and go, unless they only come.
fn scatter(rng: &mut SmallRng, schema: &SchemaRef, rows: &Rel, grows: bool) -> ZSet {
    let whole = zset(schema, rows);
    let mut copies: Vec<(u32, i64)> = Vec::new();
    for (i, weight) in whole.weights().values().iter().enumerate() {
        copies.extend((0..weight.abs()).map(|_| (i as u32, weight.signum())));
        if !grows && rng.random_bool(0.3) {
            copies.extend([(i as u32, 1), (i as u32, -1)]);
        }
    }
    copies.shuffle(rng);
    let (positions, weights): (Vec<u32>, Vec<i64>) = copies.into_iter().unzip();
    ZSet::new(whole.take(&positions.into()).unwrap().into_parts().0, weights.into())
}

struct Run {
    circuit: Circuit,
    /// Of the same plan, with the state of its joins in common.
    twin: Option<Circuit>,
    traces: TraceSet,
    rows: Printed,
    errors: Printed,
}

impl Run {
    fn new(plan: &CircuitPlan, store: Store, workers: &Workers) -> Run {
        let traces = TraceSet::new(Arc::new(store));
        let circuit = Circuit::render(plan, VIEW, &traces, 0, workers).unwrap();
        Run { circuit, twin: None, traces, rows: Printed::new(), errors: Printed::new() }
    }

    /// Two circuits of the plan, which keep the sides of their joins together, and those of each that are the same.
    fn beside(plan: &CircuitPlan, store: Store, workers: &Workers) -> Run {
        let alike = |circuit: &Circuit, twin: &Circuit| {
            let sides: Vec<&Side> = circuit.sides().iter().chain(twin.sides()).collect();
            let same = |place: usize| Some((sides[place].trace, sides[..place].iter().find(|other| other.is_same(sides[place]))?.trace));
            (0..sides.len()).filter_map(same).collect()
        };
        Run::two(plan, store, workers, &alike)
    }

    /// Two circuits of the plan that have everything in common.
    fn twins(plan: &CircuitPlan, store: Store, workers: &Workers) -> Run {
        let alike = |circuit: &Circuit, twin: &Circuit| {
            let traces = |node: InCommon| node.slots.zip(node.other_slots).map(|(a, b)| (TraceId::new(TWIN, a), TraceId::new(VIEW, b)));
            twin.in_common(circuit, |_, _| true).into_iter().flat_map(traces).collect()
        };
        let mut run = Run::two(plan, store, workers, &alike);
        if let Some(twin) = &mut run.twin {
            let nodes = twin.in_common(&run.circuit, |_, _| true);
            twin.have_in_common(&nodes, &mut run.circuit);
        }
        run
    }

    fn two(plan: &CircuitPlan, store: Store, workers: &Workers, alike: &dyn Fn(&Circuit, &Circuit) -> Vec<(TraceId, TraceId)>) -> Run {
        let traces = TraceSet::new(Arc::new(store));
        traces.load_kept_together(&|_| true).unwrap();
        let render = |object| Circuit::render(plan, object, &traces, 0, workers).unwrap();
        let (mut circuit, mut twin) = (render(VIEW), render(TWIN));
        let mut writes = Writes::new();
        for (trace, with) in alike(&circuit, &twin) {
            if !traces.are_one(trace, with) {
                traces.keep_together(trace, with, &mut writes).unwrap();
            }
        }
        traces.store().write(writes, false).unwrap();
        (circuit, twin) = (render(VIEW).instead_of(&circuit), render(TWIN));
        Run { circuit, twin: Some(twin), traces, rows: Printed::new(), errors: Printed::new() }
    }

    fn step(&mut self, epoch: usize, schemas: &[SchemaRef], change: &[Rel]) -> Output {
        let inputs = schemas.iter().zip(change).map(|(schema, rows)| zset(schema, rows));
        self.step_over(epoch, inputs)
    }

    fn step_over(&mut self, epoch: usize, inputs: impl Iterator<Item = ZSet>) -> Output {
        let inputs = (0..).map(ObjectId).zip(inputs.map(Delta)).filter(|(_, delta)| !delta.is_empty()).collect();
        let step = |circuit: &mut Circuit| {
            let output = circuit.step(Epoch(epoch as u64), 0, &inputs).unwrap();
            Output { delta: output.delta.consolidate().unwrap(), ..output }
        };
        // Now one comes first, now the other.
        let before = self.twin.as_mut().filter(|_| epoch % 2 == 1).map(step);
        let output = step(&mut self.circuit);
        if let Some(other) = before.or_else(|| self.twin.as_mut().map(step)) {
            assert_eq!((print(&other.delta.0), print(&other.errors)), (print(&output.delta.0), print(&output.errors)), "epoch {epoch}");
        }
        add(&mut self.rows, &output.delta.0);
        add(&mut self.errors, &output.errors);
        output
    }
}

/// Judges a plan whose inputs are the relations 0, 1, ... with those columns. `leftover` is how many entries of state stay
/// when all inputs are empty again.
pub fn judge(plan: &CircuitPlan, inputs: &[&str], seeds: u64, leftover: usize, oracle: Oracle) {
    judge_world(plan, inputs, seeds, Some(leftover), oracle);
}

/// [`judge`] of a plan whose inputs only grow.
pub fn judge_growing(plan: &CircuitPlan, inputs: &[&str], seeds: u64, oracle: Oracle) {
    judge_world(plan, inputs, seeds, None, oracle);
}

/// Without a `leftover` no row is taken back.
fn judge_world(plan: &CircuitPlan, inputs: &[&str], seeds: u64, leftover: Option<usize>, oracle: Oracle) {
    let grows = leftover.is_none();
    let schemas: Vec<SchemaRef> = inputs.iter().map(|names| columns(names)).collect();
    let widths: Vec<usize> = schemas.iter().map(|s| s.fields().len()).collect();
    let workers = Arc::new(Workers::eager(3));
    for seed in 0..seeds {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut sums = vec![Rel::new(); inputs.len()];
        let mut changes = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..rng.random_range(1..30) {
            changes.push(random_change(&mut rng, &widths, &mut sums, grows));
            expected.push(oracle(&sums));
        }

        let mut small = Run::new(plan, Store::memory(), &workers);
        let mut twos = [Run::beside, Run::twins].map(|make| make(plan, Store::memory(), &workers));
        let mut scattered = Run::new(plan, Store::memory(), &workers);
        scattered.circuit = scattered.circuit.ground().on(workers.clone());
        for (epoch, change) in changes.iter().enumerate() {
            let output = small.step(epoch, &schemas, change);
            for two in &mut twos {
                let together = two.step(epoch, &schemas, change);
                assert_eq!(print(&output.delta.0), print(&together.delta.0), "seed {seed}, epoch {epoch}, kept together\n{plan}");
                assert_eq!(print(&output.errors), print(&together.errors), "seed {seed}, epoch {epoch}, kept together\n{plan}");
            }
            let again = scattered.step_over(epoch, schemas.iter().zip(change).map(|(schema, rows)| scatter(&mut rng, schema, rows, grows)));
            assert_eq!(print(&output.delta.0), print(&again.delta.0), "seed {seed}, epoch {epoch}, scattered\n{plan}");
            assert_eq!(print(&output.errors), print(&again.errors), "seed {seed}, epoch {epoch}, scattered\n{plan}");
            assert_eq!((&small.rows, &small.errors), (&expected[epoch].0, &expected[epoch].1), "seed {seed}, epoch {epoch}\n{plan}");
        }
        assert!(small.rows.values().all(|weight| *weight > 0), "seed {seed}");

        let mut big = Run::new(plan, Store::memory(), &workers);
        big.step(0, &schemas, &sums);
        assert_eq!((&big.rows, &big.errors), (&small.rows, &small.errors), "seed {seed}: one big epoch\n{plan}");

        for (side, sum) in sums.iter().enumerate().filter(|_| !grows) {
            let mut back = vec![Rel::new(); inputs.len()];
            back[side] = sum.iter().map(|(row, weight)| (row.clone(), -weight)).collect();
            small.step(changes.len(), &schemas, &back);
        }
        if let Some(leftover) = leftover {
            let nothing = oracle(&vec![Rel::new(); inputs.len()]);
            assert_eq!((&small.rows, &small.errors), (&nothing.0, &nothing.1), "seed {seed}: taken back\n{plan}");
            assert_eq!(small.traces.usage(VIEW).entries, leftover, "seed {seed}: state is left\n{plan}");
        }

        if seed % 40 == 0 {
            for make in [Run::new, Run::beside, Run::twins] {
                crashing(plan, &schemas, &changes, &expected, seed, &|store| make(plan, store, &workers));
            }
        }
    }
}

/// On RocksDB, with checkpoints and crashes at random epochs: what a step gave before a crash it gives again.
fn crashing(
    plan: &CircuitPlan,
    schemas: &[SchemaRef],
    changes: &[Vec<Rel>],
    expected: &[(Printed, Printed)],
    seed: u64,
    make: &dyn Fn(Store) -> Run,
) {
    let mut rng = SmallRng::seed_from_u64(seed ^ 0xc7a5);
    let dir = tempfile::tempdir().unwrap();
    let open = || make(Store::open(dir.path()).unwrap());
    let mut run = open();
    let mut given: Vec<(String, String)> = Vec::new();
    let (mut checkpoint, mut at_checkpoint) = (0, (Printed::new(), Printed::new()));
    let mut epoch = 0;
    let mut crashes = 0;
    while epoch < changes.len() {
        let output = run.step(epoch, schemas, &changes[epoch]);
        let output = (print(&output.delta.0), print(&output.errors));
        match given.get(epoch) {
            Some(before) => assert_eq!(&output, before, "seed {seed}, epoch {epoch} run again"),
            None => given.push(output),
        }
        assert_eq!((&run.rows, &run.errors), (&expected[epoch].0, &expected[epoch].1), "seed {seed}, epoch {epoch} on RocksDB\n{plan}");
        epoch += 1;
        if rng.random_bool(0.3) {
            let mut writes = Writes::new();
            run.traces.dirty(&mut writes).unwrap();
            run.traces.store().write(writes, false).unwrap();
            if rng.random_bool(0.7) {
                run.traces.evict_down_to(0).unwrap();
            }
            (checkpoint, at_checkpoint) = (epoch, (run.rows.clone(), run.errors.clone()));
        }
        if rng.random_bool(0.2) && crashes < 4 {
            crashes += 1;
            drop(run);
            run = open();
            (run.rows, run.errors) = at_checkpoint.clone();
            epoch = checkpoint;
        }
    }
}
