//! Gives out the traces of one object in order.

use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::keyed_trace::KeyedTrace;
use crate::state::{Arrangement, Cells, Find, Records, TraceSet};
use crate::types::TraceId;

pub struct Slots<'a> {
    traces: &'a TraceSet,
    next: TraceId,
}

impl<'a> Slots<'a> {
    pub fn new(traces: &'a TraceSet, first: TraceId) -> Slots<'a> {
        Slots { traces, next: first }
    }

    /// Gives out the same slots to each shard, one shard after the other.
    pub fn sharded<T>(
        &mut self,
        shards: usize,
        mut make: impl FnMut(&mut Slots) -> Result<T, DataflowError>,
    ) -> Result<Vec<T>, DataflowError> {
        let first = self.next;
        let mut made = Vec::with_capacity(shards);
        for shard in 0..shards {
            let shard = u8::try_from(shard).map_err(|_| DataflowError::Plan("more than 256 shards".into()))?;
            self.next = first.of_shard(shard);
            made.push(make(self)?);
        }
        self.next.shard = 0;
        Ok(made)
    }

    /// The first slot not given out.
    pub fn next(&self) -> u16 {
        self.next.slot
    }

    pub fn trace(&mut self, relation: &SchemaRef, key: &[usize]) -> Result<KeyedTrace, DataflowError> {
        let id = self.take()?;
        Ok(KeyedTrace::new(self.traces, id, relation, key)?)
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
