//! The Debezium change log of a small shop, as JSON lines that the file connector follows.
//!
//! Two tables, as PostgreSQL would have them and Debezium's connector would ship them by default:
//! `customers(id int8, name text, tier text)` and `orders(id int8, customer_id int8, amount numeric(12,2), created_at
//! timestamp)`. Orders are mostly inserted, some are corrected, some cancelled; customers change their tier; now and then
//! an order gets another id. Everything follows from the seed. A line is `{"key", "value", "headers"}`, so that deletes
//! have their tombstones and key changes their headers.

use std::io::{self, Write};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::sources::format::bytea::print_base64;

#[derive(Clone, Debug)]
pub struct ShopOptions {
    pub seed: u64,
    pub customers: u64,
    /// The first order's time, in microseconds since 1970, and how much later each next event is.
    pub start_micros: i64,
    pub step_micros: i64,
    /// True when each message brings its schema, as Debezium's default converter does.
    pub with_schema: bool,
}

impl Default for ShopOptions {
    fn default() -> ShopOptions {
        ShopOptions { seed: 1, customers: 100, start_micros: 1_767_225_600_000_000, step_micros: 250_000, with_schema: true }
    }
}

#[derive(Clone)]
struct Order {
    id: u64,
    customer: u64,
    cents: i64,
    created: i64,
}

/// The shop as it is after the events written so far.
pub struct Shop {
    options: ShopOptions,
    rng: ChaCha8Rng,
    /// The customers' tiers, by id - 1.
    tiers: Vec<&'static str>,
    orders: Vec<Order>,
    next_order: u64,
    events: u64,
}

const TIERS: [&str; 4] = ["bronze", "silver", "gold", "platinum"];
const FIRST_NAMES: [&str; 8] = ["Ada", "Bela", "Chen", "Dora", "Emre", "Fatou", "Gita", "Hugo"];
const LAST_NAMES: [&str; 7] = ["Arslan", "Brandt", "Costa", "Diallo", "Eriksen", "Fischer", "Gupta"];
/// Orders that can still change.
const OPEN_ORDERS: usize = 10_000;

const CUSTOMER_FIELDS: &str = r#"{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"},{"type":"string","optional":true,"field":"tier"}"#;
const ORDER_FIELDS: &str = r#"{"type":"int64","optional":false,"field":"id"},{"type":"int64","optional":true,"field":"customer_id"},{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"12"},"field":"amount"},{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,"field":"created_at"}"#;

/// Writes the snapshot of the customers and then `events` changes, from an empty shop.
pub fn write_shop_events(options: &ShopOptions, events: u64, orders: &mut dyn Write, customers: &mut dyn Write) -> io::Result<Shop> {
    let mut shop = Shop::new(options.clone());
    shop.write_snapshot(customers)?;
    shop.write(events, orders, customers)?;
    Ok(shop)
}

impl Shop {
    pub fn new(options: ShopOptions) -> Shop {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let tiers = (0..options.customers.max(1)).map(|_| TIERS[rng.random_range(0..TIERS.len())]).collect();
        Shop { options, rng, tiers, orders: Vec::new(), next_order: 1, events: 0 }
    }

    /// Every customer as the connector's first snapshot reads it.
    pub fn write_snapshot(&self, customers: &mut dyn Write) -> io::Result<()> {
        (1..=self.tiers.len() as u64).try_for_each(|id| self.write_customer(id, "r", customers))
    }

    /// The next `events` changes.
    pub fn write(&mut self, events: u64, orders: &mut dyn Write, customers: &mut dyn Write) -> io::Result<()> {
        for _ in 0..events {
            let now = self.now();
            self.events += 1;
            match self.rng.random_range(0..100u32) {
                0..=79 => self.insert(now, orders)?,
                80..=91 => self.update(orders)?,
                92..=95 => self.delete(orders)?,
                96 => self.change_key(orders)?,
                _ => {
                    let customer = self.rng.random_range(0..self.tiers.len());
                    self.tiers[customer] = TIERS[self.rng.random_range(0..TIERS.len())];
                    self.write_customer(customer as u64 + 1, "u", customers)?;
                }
            }
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        let passed = self.options.step_micros.saturating_mul(i64::try_from(self.events).unwrap_or(i64::MAX));
        self.options.start_micros.saturating_add(passed)
    }

    fn insert(&mut self, now: i64, out: &mut dyn Write) -> io::Result<()> {
        let customer = self.rng.random_range(1..=self.tiers.len() as u64);
        let order = Order { id: self.next_order, customer, cents: self.rng.random_range(100..=50_000), created: now };
        self.next_order += 1;
        self.write_order(None, Some(&order), "c", "", out)?;
        self.orders.push(order);
        if self.orders.len() > OPEN_ORDERS {
            let forgotten = self.rng.random_range(0..self.orders.len());
            self.orders.swap_remove(forgotten);
        }
        Ok(())
    }

    /// An order that can still change; when there is none, one comes first.
    fn pick(&mut self, out: &mut dyn Write) -> io::Result<usize> {
        if self.orders.is_empty() {
            let now = self.now();
            self.insert(now, out)?;
        }
        Ok(self.rng.random_range(0..self.orders.len()))
    }

    fn update(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let at = self.pick(out)?;
        self.orders[at].cents = self.rng.random_range(100..=50_000);
        self.write_order(None, Some(&self.orders[at]), "u", "", out)
    }

    fn delete(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let at = self.pick(out)?;
        let order = self.orders.swap_remove(at);
        self.write_order(Some(&order), None, "d", "", out)?;
        self.write_tombstone(order.id, "", out)
    }

    fn change_key(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let at = self.pick(out)?;
        let old = self.orders[at].clone();
        let new = Order { id: self.next_order, ..old.clone() };
        self.next_order += 1;
        let to = format!(r#""__debezium.newkey":{{"id":{}}}"#, new.id);
        self.write_order(Some(&old), None, "d", &to, out)?;
        self.write_tombstone(old.id, &to, out)?;
        self.write_order(None, Some(&new), "c", &format!(r#""__debezium.oldkey":{{"id":{}}}"#, old.id), out)?;
        self.orders[at] = new;
        Ok(())
    }

    /// A delete's `before` has the key alone, as PostgreSQL's default replica identity gives it.
    fn write_order(&self, before: Option<&Order>, after: Option<&Order>, op: &str, headers: &str, out: &mut dyn Write) -> io::Result<()> {
        let row = |order: &Order| {
            let Order { id, customer, cents, created } = order;
            format!(r#"{{"id":{id},"customer_id":{customer},"amount":"{}","created_at":{created}}}"#, decimal(*cents))
        };
        let key = |order: &Order| format!(r#"{{"id":{},"customer_id":null,"amount":null,"created_at":null}}"#, order.id);
        let id = before.or(after).map_or(0, |order| order.id);
        self.write_change("orders", ORDER_FIELDS, id, before.map(key), after.map(row), op, headers, out)
    }

    fn write_customer(&self, id: u64, op: &str, out: &mut dyn Write) -> io::Result<()> {
        let at = (id - 1) as usize;
        let (first, last) = (FIRST_NAMES[at % FIRST_NAMES.len()], LAST_NAMES[at / FIRST_NAMES.len() % LAST_NAMES.len()]);
        let row = format!(r#"{{"id":{id},"name":"{first} {last}","tier":"{}"}}"#, self.tiers[at]);
        self.write_change("customers", CUSTOMER_FIELDS, id, None, Some(row), op, "", out)
    }

    fn write_tombstone(&self, id: u64, headers: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, r#"{{"key":{},"value":null,"headers":{{{headers}}}}}"#, self.key("orders", id))
    }

    fn key(&self, table: &str, id: u64) -> String {
        if !self.options.with_schema {
            return format!(r#"{{"id":{id}}}"#);
        }
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"int64","optional":false,"field":"id"}}],"optional":false,"name":"shop.public.{table}.Key"}},"payload":{{"id":{id}}}}}"#
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn write_change(
        &self,
        table: &str,
        fields: &str,
        id: u64,
        before: Option<String>,
        after: Option<String>,
        op: &str,
        headers: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let null = || "null".to_string();
        let (before, after) = (before.unwrap_or_else(null), after.unwrap_or_else(null));
        let (millis, lsn) = (self.now().div_euclid(1000), 1000 + self.events * 64);
        let snapshot = if op == "r" { "true" } else { "false" };
        let source = format!(
            r#"{{"version":"floe","connector":"postgresql","name":"shop","ts_ms":{millis},"snapshot":"{snapshot}","db":"shop","schema":"public","table":"{table}","txId":{},"lsn":{lsn}}}"#,
            self.events
        );
        let payload = format!(r#"{{"before":{before},"after":{after},"source":{source},"transaction":null,"op":"{op}","ts_ms":{millis}}}"#);
        let key = self.key(table, id);
        if !self.options.with_schema {
            return writeln!(out, r#"{{"key":{key},"value":{payload},"headers":{{{headers}}}}}"#);
        }
        let row = |name: &str| {
            format!(r#"{{"type":"struct","fields":[{fields}],"optional":true,"name":"shop.public.{table}.Value","field":"{name}"}}"#)
        };
        writeln!(
            out,
            r#"{{"key":{key},"value":{{"schema":{{"type":"struct","fields":[{},{},{{"type":"string","optional":false,"field":"op"}}],"optional":false,"name":"shop.public.{table}.Envelope","version":2}},"payload":{payload}}},"headers":{{{headers}}}}}"#,
            row("before"),
            row("after")
        )
    }
}

/// Cents as Kafka Connect's decimal: the shortest big-endian two's complement, in base64.
fn decimal(cents: i64) -> String {
    let bytes = cents.to_be_bytes();
    let sign = if cents < 0 { 0xff } else { 0 };
    // A leading byte can go while the next one has the same sign bit.
    let skipped = bytes.windows(2).take_while(|pair| pair[0] == sign && (pair[1] & 0x80 != 0) == (cents < 0)).count();
    print_base64(&bytes[skipped..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_shortest() {
        for (cents, expected) in [(1050, "BBo="), (-1, "/w=="), (0, "AA=="), (128, "AIA="), (-128, "gA=="), (200, "AMg=")] {
            assert_eq!(decimal(cents), expected, "{cents}");
        }
    }
}
