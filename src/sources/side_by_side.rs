//! Decoding on several threads: records are cut into pieces, each piece is decoded by itself, and what they come to is put
//! in order again, so that the number of threads changes nothing but the time.
//!
//! Each thread has a decoder of its own. What is small is decoded where it was read, without a hand-over.

use std::sync::{Mutex, PoisonError};

use super::error::SourceError;
use super::format::Decoder;
use super::spec::SourceSpec;
use crate::types::Projection;

/// How a source's records are read: what of them, and by how many threads at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub columns: Projection,
    pub threads: usize,
}

impl Reading {
    /// All columns, on the thread of whoever reads.
    pub fn everything(spec: &SourceSpec) -> Reading {
        Reading { columns: Projection::everything(spec.schema.columns.len()), threads: 1 }
    }
}

/// Fewer bytes are not worth a second thread.
const SMALL: usize = 256 << 10;

/// The decoders of one source.
pub struct Decoders(Vec<Decoder>);

impl Decoders {
    pub fn new(spec: &SourceSpec, reading: &Reading) -> Result<Decoders, SourceError> {
        Ok(Decoders((0..reading.threads.max(1)).map(|_| Decoder::reading(spec, &reading.columns)).collect::<Result<_, _>>()?))
    }

    /// The first of them, for what is decoded here.
    pub fn first(&mut self) -> &mut Decoder {
        &mut self.0[0]
    }

    /// [`Decoder::set_partitions`] of all of them.
    pub fn set_partitions(&mut self, count: usize) {
        self.0.iter_mut().for_each(|decoder| decoder.set_partitions(count));
    }

    /// Into how many pieces of about that size so many bytes are best cut.
    pub fn pieces_of(&self, bytes: usize) -> usize {
        match self.0.len() {
            1 => 1,
            threads => (bytes / SMALL).clamp(1, threads),
        }
    }

    /// Does the work for each piece, on as many threads as there are pieces and decoders; the results in the pieces' order.
    pub fn decode<P: Send, R: Send>(&mut self, pieces: Vec<P>, work: impl Fn(&mut Decoder, P) -> R + Sync) -> Vec<R> {
        let threads = self.0.len().min(pieces.len());
        if threads <= 1 {
            let decoder = self.first();
            return pieces.into_iter().map(|piece| work(decoder, piece)).collect();
        }
        let left = Mutex::new(pieces.into_iter().enumerate());
        let (left, work) = (&left, &work);
        let turn = |decoder: &mut Decoder| {
            let mut done = Vec::new();
            loop {
                let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((number, piece)) = next else { return done };
                done.push((number, work(decoder, piece)));
            }
        };
        let (mine, others) = self.0.split_at_mut(1);
        let mut done = std::thread::scope(|scope| {
            let others: Vec<_> = others.iter_mut().take(threads - 1).map(|decoder| scope.spawn(move || turn(decoder))).collect();
            let mut done = turn(&mut mine[0]);
            for other in others {
                match other.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done.sort_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, result)| result).collect()
    }
}
