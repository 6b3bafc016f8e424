//! Gives out the traces of one object in order.

use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::keyed_trace::KeyedTrace;
use crate::dataflow::workers::Workers;
use crate::planner::circuit_plan::SortKey;
use crate::state::{Arrangement, Cells, Find, Records, TraceSet};
use crate::types::TraceId;

pub struct Slots<'a> {
    traces: &'a TraceSet,
    next: TraceId,
    /// Who makes shards side by side.
    workers: Option<&'a Workers>,
}

impl<'a> Slots<'a> {
    pub fn new(traces: &'a TraceSet, first: TraceId) -> Slots<'a> {
        Slots { traces, next: first, workers: None }
    }

    /// The same slots; shards are made by those.
    pub fn by(self, workers: &'a Workers) -> Slots<'a> {
        Slots { workers: Some(workers), ..self }
    }

    /// Gives out the same slots to each shard. Shards whose state is read from the store are read side by side.
    pub fn sharded<T: Send>(
        &mut self,
        shards: usize,
        make: impl Fn(&mut Slots) -> Result<T, DataflowError> + Sync + Send,
    ) -> Result<Vec<T>, DataflowError> {
        let (first, traces) = (self.next, self.traces);
        let one = |shard: usize| {
            let shard = u8::try_from(shard).map_err(|_| DataflowError::Plan("more than 256 shards".into()))?;
            let mut slots = Slots::new(traces, first.of_shard(shard));
            Ok((make(&mut slots)?, slots.next))
        };
        let made: Vec<Result<(T, TraceId), DataflowError>> = match self.workers {
            Some(workers) => workers.each(usize::MAX, (0..shards).collect(), one),
            None => (0..shards).map(one).collect(),
        };
        let made: Vec<(T, TraceId)> = made.into_iter().collect::<Result<_, _>>()?;
        if let Some((_, next)) = made.last() {
            self.next = next.of_shard(0);
        }
        Ok(made.into_iter().map(|(made, _)| made).collect())
    }

    /// The first slot not given out.
    pub fn next(&self) -> u16 {
        self.next.slot
    }

    pub fn trace(&mut self, relation: &SchemaRef, key: &[usize]) -> Result<KeyedTrace, DataflowError> {
        let id = self.take()?;
        Ok(KeyedTrace::new(self.traces, id, relation, key)?)
    }

    /// With the rows of a key in that order.
    pub fn trace_in_order(&mut self, relation: &SchemaRef, key: &[usize], order: &[SortKey]) -> Result<KeyedTrace, DataflowError> {
        let id = self.take()?;
        Ok(KeyedTrace::in_order(self.traces, id, relation, key, order)?)
    }

    pub fn arrangement(&mut self, relation: &SchemaRef, key: &[usize], find: Find) -> Result<Arrangement, DataflowError> {
        let id = self.take()?;
        Ok(self.traces.arrangement(id, relation.clone(), key, find)?)
    }

    pub fn cells(&mut self) -> Result<Cells, DataflowError> {
        let id = self.take()?;
        Ok(self.traces.cells(id)?)
    }

    /// Records of `width` bytes by key.
    pub fn records(&mut self, width: usize) -> Result<Records, DataflowError> {
        let id = self.take()?;
        Ok(self.traces.records(id, width)?)
    }

    fn take(&mut self) -> Result<TraceId, DataflowError> {
        let id = self.next;
        self.next.slot = id.slot.checked_add(1).ok_or_else(|| DataflowError::Unsupported("plan needs too much state".into()))?;
        Ok(id)
    }
}
