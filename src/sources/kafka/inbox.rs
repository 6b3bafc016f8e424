//! Messages of all assigned partitions, taken many at a time: librdkafka's own batch call, which its Rust client lacks.
//!
//! The client's own poll takes a message at a time, and each costs three looks at the clock, an event with its reference
//! count, and locks. Here partitions are forwarded to one queue beside the consumer's own. What is not a message
//! (errors of the connection, answers to commits) stays with the consumer's poll: the batch call cannot take it.
//!
//! This is the one file with calls that the compiler cannot check. What they rest on:
//! - The queue is freed before the consumer, which it holds; messages borrow from the inbox and so are freed before both.
//! - Each pointer that the batch call gives is owned by one [`Message`], which frees it once. From then on nobody else
//!   changes the message, and its key and payload stay where they are.
//! - Headers are parsed into the message when they are first asked for. Who asks holds the message alone (`&mut`), and
//!   messages are [`Send`] but not [`Sync`]; what they share in the client is counted atomically.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::complaints::Complaints;

pub struct Inbox {
    consumer: Arc<BaseConsumer<Complaints>>,
    queue: NonNull<c::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Inbox {}

impl Inbox {
    /// `None` when the client gives no queue.
    pub fn new(consumer: Arc<BaseConsumer<Complaints>>) -> Option<Inbox> {
        // SAFETY: the client lives as long as the consumer.
        let queue = NonNull::new(unsafe { c::rd_kafka_queue_new(consumer.client().native_ptr()) })?;
        Some(Inbox { consumer, queue })
    }

    /// Forwards a partition to here. Before it is assigned: what comes earlier goes to the consumer's own queue. An
    /// assignment that replaces this one ends it.
    ///
    /// # Errors
    /// When no topic can have the name.
    pub fn forward(&self, topic: &str, partition: i32) -> Result<(), KafkaError> {
        let topic = CString::new(topic)?;
        // SAFETY: the name ends with a null; the partition's queue is freed here, which frees only the handle.
        unsafe {
            let from = c::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), partition);
            if from.is_null() {
                return Err(KafkaError::Subscription(format!("partition {partition} has no queue")));
            }
            c::rd_kafka_queue_forward(from, self.queue.as_ptr());
            c::rd_kafka_queue_destroy(from);
        }
        Ok(())
    }

    /// The end of a partition as the broker told it with the last answer; it is not asked.
    pub fn known_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = CString::new(topic).ok()?;
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the name ends with a null, and the places are there while the call lasts.
        let error = unsafe {
            c::rd_kafka_get_watermark_offsets(self.consumer.client().native_ptr(), topic.as_ptr(), partition, &mut low, &mut high)
        };
        (error == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }

    /// What has come, in each partition's order: at most `most`. Waits for the first only.
    pub fn take(&self, most: usize, wait: Duration) -> Vec<Message<'_>> {
        let mut raw = Vec::with_capacity(most);
        self.batch(&mut raw, most, Duration::ZERO);
        if raw.is_empty() && most > 0 && !wait.is_zero() {
            // The call waits until it has as many as were asked for.
            self.batch(&mut raw, 1, wait);
            self.batch(&mut raw, most, Duration::ZERO);
        }
        raw.into_iter().filter_map(NonNull::new).map(|raw| Message { raw, inbox: PhantomData }).collect()
    }

    /// Takes more until there are `most`.
    fn batch(&self, raw: &mut Vec<*mut c::rd_kafka_message_t>, most: usize, wait: Duration) {
        let room = most.min(raw.capacity()).saturating_sub(raw.len());
        if room == 0 {
            return;
        }
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: there is room for as many pointers; so many as it says have been written.
        unsafe {
            let count = c::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, raw.as_mut_ptr().add(raw.len()), room);
            raw.set_len(raw.len() + usize::try_from(count).unwrap_or(0).min(room));
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // SAFETY: nobody else has the queue; the consumer is still there.
        unsafe { c::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// A message, or what the client says in place of one.
pub struct Message<'i> {
    raw: NonNull<c::rd_kafka_message_t>,
    inbox: PhantomData<&'i Inbox>,
}

/// What a message is.
pub enum Arrival {
    Record,
    /// There is nothing more in the partition for now. Reading goes on at this offset: past the records that came, and the
    /// markers and gaps behind them.
    End(i64),
    Failed(KafkaError),
}

// SAFETY: see the head of this file.
unsafe impl Send for Message<'_> {}

impl Message<'_> {
    fn fields(&self) -> &c::rd_kafka_message_t {
        // SAFETY: owned, and freed when this is dropped.
        unsafe { self.raw.as_ref() }
    }

    pub fn arrival(&self) -> Arrival {
        match self.fields().err {
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Arrival::Record,
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => Arrival::End(self.offset()),
            error => Arrival::Failed(KafkaError::MessageConsumption(RDKafkaErrorCode::from(error))),
        }
    }

    pub fn partition(&self) -> i32 {
        self.fields().partition
    }

    pub fn offset(&self) -> i64 {
        self.fields().offset
    }

    /// Bytes of the key and the payload.
    pub fn size(&self) -> usize {
        self.fields().key_len + self.fields().len
    }

    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: the message's own, as long as it is.
        unsafe { bytes(self.fields().key, self.fields().key_len) }
    }

    /// Absent in a tombstone.
    pub fn payload(&self) -> Option<&[u8]> {
        // SAFETY: the message's own, as long as it is.
        unsafe { bytes(self.fields().payload, self.fields().len) }
    }

    /// Parses the headers; what is there can be looked up in them.
    pub fn parsed(&mut self) -> Parsed<'_> {
        let mut headers = ptr::null_mut();
        // SAFETY: this has the message alone. The headers are the message's own, and stay until it is freed.
        let error = unsafe { c::rd_kafka_message_headers(self.raw.as_ptr(), &mut headers) };
        let headers = match error {
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => NonNull::new(headers),
            _ => None,
        };
        Parsed { message: self, headers }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: owned by this alone.
        unsafe { c::rd_kafka_message_destroy(self.raw.as_ptr()) }
    }
}

/// A message with its headers.
pub struct Parsed<'m> {
    pub message: &'m Message<'m>,
    headers: Option<NonNull<c::rd_kafka_headers_t>>,
}

impl<'m> Parsed<'m> {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&'m [u8]> {
        let headers = self.headers?;
        for at in 0.. {
            let (mut found, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers are the message's own and nobody changes them; a name that is given ends with a null.
            unsafe {
                let error = c::rd_kafka_header_get_all(headers.as_ptr(), at, &mut found, &mut value, &mut size);
                if error != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                if CStr::from_ptr(found).to_bytes() == name.as_bytes() {
                    return bytes(value, size);
                }
            }
        }
        None
    }
}

/// # Safety
/// Where the pointer is not null, as many bytes are there as long as `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as promised.
    NonNull::new(start.cast_mut().cast::<u8>()).map(|start| unsafe { std::slice::from_raw_parts(start.as_ptr(), length) })
}
