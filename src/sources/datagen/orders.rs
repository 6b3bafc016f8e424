//! The change log of one large table, as Debezium's PostgreSQL connector ships it with its default settings: for load.
//!
//! The table is `orders(id int8, customer_id int8, amount int8, created_at timestamp, status text, note text)`. Of a hundred
//! changes 25 are inserts, 70 updates and 5 deletes, each of an order drawn from all that are there. A message is a key and a
//! value, and both bring their schema, as the default converter writes it: some 3.2 KB a change. An order's changes are all in one
//! part, in their order. Everything follows from the seed.

use std::io::{self, Write};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Clone, Debug)]
pub struct OrdersOptions {
    pub seed: u64,
    pub parts: u64,
    pub customers: u64,
    /// The table has REPLICA IDENTITY FULL: `before` is the whole row, not the key of a deleted one.
    pub full_identity: bool,
}

/// What a change leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Row,
    /// Nothing: the connector sends the key once more, with no value.
    Tombstone,
}

#[derive(Clone, Copy)]
struct Order {
    id: u64,
    customer: u64,
    amount: u32,
    created: i64,
    status: &'static str,
    note: u32,
}

/// The table as it is after the changes written so far.
pub struct Orders {
    options: OrdersOptions,
    rng: ChaCha8Rng,
    /// The orders that are there, by part.
    live: Vec<Vec<Order>>,
    next: u64,
    changes: u64,
    schema: String,
}

/// 2026-01-01, in microseconds since 1970, and how much later each next change is.
const START: i64 = 1_767_225_600_000_000;
const STEP: i64 = 100;
/// A part has at least so many orders before any is changed.
const FEW: usize = 10;
const STATUSES: [&str; 3] = ["paid", "sent", "done"];
const NOTE: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

const KEY: &str = r#"{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"shop.public.orders.Key"},"payload":{"id":"#;
const COLUMNS: &str = r#"{"type":"int64","optional":false,"field":"id"},{"type":"int64","optional":true,"field":"customer_id"},{"type":"int64","optional":true,"field":"amount"},{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,"field":"created_at"},{"type":"string","optional":true,"field":"status"},{"type":"string","optional":true,"field":"note"}"#;
/// The types and names of the parts that say where a change comes from: required or not, type, name.
const ORIGIN: [(bool, &str, &str); 15] = [
    (true, "string", "version"),
    (true, "string", "connector"),
    (true, "string", "name"),
    (true, "int64", "ts_ms"),
    (true, "string", "db"),
    (false, "string", "sequence"),
    (false, "int64", "ts_us"),
    (false, "int64", "ts_ns"),
    (true, "string", "schema"),
    (true, "string", "table"),
    (false, "int64", "txId"),
    (false, "int64", "lsn"),
    (false, "int64", "xmin"),
    (false, "string", "origin"),
    (false, "int64", "origin_lsn"),
];
/// Stands between `ts_ms` and `db`.
const SNAPSHOT: &str = r#"{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"}"#;
const TRANSACTION: &str = r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},{"type":"int64","optional":false,"field":"total_order"},{"type":"int64","optional":false,"field":"data_collection_order"}],"optional":true,"name":"event.block","version":1,"field":"transaction"}"#;

fn field(required: bool, kind: &str, name: &str) -> String {
    format!(r#"{{"type":"{kind}","optional":{},"field":"{name}"}}"#, !required)
}

/// The text of `"schema":...` that every message begins with.
fn schema() -> String {
    let row =
        |name| format!(r#"{{"type":"struct","fields":[{COLUMNS}],"optional":true,"name":"shop.public.orders.Value","field":"{name}"}}"#);
    let mut origin: Vec<String> = ORIGIN.iter().map(|(required, kind, name)| field(*required, kind, name)).collect();
    origin.insert(4, SNAPSHOT.to_string());
    let source = format!(
        r#"{{"type":"struct","fields":[{}],"optional":false,"name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"}}"#,
        origin.join(",")
    );
    let times = ["ts_ms", "ts_us", "ts_ns"].map(|name| field(false, "int64", name)).join(",");
    format!(
        r#""schema":{{"type":"struct","fields":[{},{},{source},{TRANSACTION},{},{times}],"optional":false,"name":"shop.public.orders.Envelope","version":2}}"#,
        row("before"),
        row("after"),
        field(true, "string", "op")
    )
}

impl Orders {
    pub fn new(options: OrdersOptions) -> Orders {
        let parts = options.parts.max(1) as usize;
        Orders {
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            live: vec![Vec::new(); parts],
            next: 0,
            changes: 0,
            schema: schema(),
            options,
        }
    }

    /// The part that the next change belongs to.
    pub fn part(&self) -> usize {
        (self.changes % self.live.len() as u64) as usize
    }

    /// Puts the next change's key and value behind what is in `key` and `value`.
    pub fn write(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> io::Result<Left> {
        let part = self.part();
        let now = START + STEP * self.changes as i64;
        let live = &mut self.live[part];
        let drawn = if live.len() < FEW { 0 } else { self.rng.random_range(0..100u32) };
        let (op, before, after) = match drawn {
            0..25 => {
                let order = Order {
                    id: self.next * self.options.parts.max(1) + part as u64,
                    customer: self.rng.random_range(0..self.options.customers.max(1)),
                    amount: self.rng.random_range(1..1_000_000),
                    created: now,
                    status: "new",
                    note: self.rng.random_range(5..60),
                };
                self.next += 1;
                live.push(order);
                ('c', None, Some(order))
            }
            25..95 => {
                let at = self.rng.random_range(0..live.len());
                let old = live[at];
                live[at].amount = self.rng.random_range(1..1_000_000);
                live[at].status = STATUSES[self.rng.random_range(0..STATUSES.len())];
                ('u', Some(old), Some(live[at]))
            }
            _ => {
                let at = self.rng.random_range(0..live.len());
                ('d', Some(live.swap_remove(at)), None)
            }
        };
        let id = before.or(after).map_or(0, |order| order.id);
        write!(key, "{KEY}{id}}}}}")?;
        write!(value, "{{{},\"payload\":{{\"before\":", self.schema)?;
        match (&before, op) {
            (Some(order), _) if self.options.full_identity => order.write(value)?,
            (Some(order), 'd') => {
                let id = order.id;
                write!(value, r#"{{"id":{id},"customer_id":null,"amount":null,"created_at":null,"status":null,"note":null}}"#)?;
            }
            _ => value.extend_from_slice(b"null"),
        }
        value.extend_from_slice(b",\"after\":");
        match &after {
            Some(order) => order.write(value)?,
            None => value.extend_from_slice(b"null"),
        }
        let (millis, lsn, transaction) = (now / 1000, 1000 + self.changes * 50, 1000 + self.changes / 3);
        write!(
            value,
            r#","source":{{"version":"3.6.1.Final","connector":"postgresql","name":"shop","ts_ms":{millis},"snapshot":"false","db":"shop","sequence":"[\"{}\",\"{lsn}\"]","ts_us":{now},"ts_ns":{now}000,"schema":"public","table":"orders","txId":{transaction},"lsn":{lsn},"xmin":null,"origin":null,"origin_lsn":null}}"#,
            lsn - 48
        )?;
        write!(value, r#","transaction":null,"op":"{op}","ts_ms":{millis},"ts_us":{now},"ts_ns":{now}000}}}}"#)?;
        self.changes += 1;
        Ok(if after.is_none() { Left::Tombstone } else { Left::Row })
    }
}

impl Order {
    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let Order { id, customer, amount, created, status, note } = self;
        let note = &NOTE[..(*note as usize).min(NOTE.len())];
        write!(
            out,
            r#"{{"id":{id},"customer_id":{customer},"amount":{amount},"created_at":{created},"status":"{status}","note":"{note}"}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    fn changes(options: &OrdersOptions, count: usize) -> Vec<(usize, Value, Value, Left, usize)> {
        let mut orders = Orders::new(options.clone());
        let change = |_| {
            let (mut key, mut value, part) = (Vec::new(), Vec::new(), orders.part());
            let left = orders.write(&mut key, &mut value).unwrap();
            (part, serde_json::from_slice(&key).unwrap(), serde_json::from_slice(&value).unwrap(), left, value.len())
        };
        (0..count).map(change).collect()
    }

    #[test]
    fn a_log_that_a_connector_could_have_written() {
        let options = OrdersOptions { seed: 1, parts: 2, customers: 100, full_identity: false };
        let log = changes(&options, 4000);
        let mut there: BTreeMap<i64, usize> = BTreeMap::new();
        let mut counts = BTreeMap::new();
        for (part, key, value, left, _) in &log {
            let (id, payload) = (key["payload"]["id"].as_i64().unwrap(), &value["payload"]);
            let op = payload["op"].as_str().unwrap();
            *counts.entry(op.to_string()).or_insert(0) += 1;
            match op {
                "c" => assert_eq!(there.insert(id, *part), None),
                "u" => assert_eq!(there.get(&id), Some(part)),
                _ => assert_eq!(there.remove(&id), Some(*part)),
            }
            assert_eq!(*left, if op == "d" { Left::Tombstone } else { Left::Row });
            assert_eq!(payload["before"].is_null(), op != "d");
            let row = if op == "d" { &payload["before"] } else { &payload["after"] };
            assert_eq!(row["id"], id);
            let named: Vec<&Value> = value["schema"]["fields"].as_array().unwrap().iter().map(|f| &f["field"]).collect();
            assert!(payload.as_object().unwrap().keys().all(|k| named.contains(&&Value::from(k.as_str()))));
        }
        let share = |op: &str| counts[op] as f64 / log.len() as f64;
        assert!(
            (0.23..0.29).contains(&share("c")) && (0.67..0.73).contains(&share("u")) && (0.03..0.07).contains(&share("d")),
            "{counts:?}"
        );
        let bytes = log.iter().map(|change| change.4).sum::<usize>() / log.len();
        assert!((3000..3300).contains(&bytes), "{bytes} bytes a change");
        assert_eq!(log, changes(&options, 4000), "the same seed writes the same");
    }

    #[test]
    fn with_full_identity_each_change_brings_the_row_as_it_was() {
        let log = changes(&OrdersOptions { seed: 2, parts: 1, customers: 10, full_identity: true }, 500);
        let mut rows: BTreeMap<i64, Value> = BTreeMap::new();
        for (_, key, value, _, _) in log {
            let (id, payload) = (key["payload"]["id"].as_i64().unwrap(), &value["payload"]);
            assert_eq!(payload["before"], rows.remove(&id).unwrap_or_default());
            if !payload["after"].is_null() {
                rows.insert(id, payload["after"].clone());
            }
        }
        assert!(rows.len() > 50);
    }
}
