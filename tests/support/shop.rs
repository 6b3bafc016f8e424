//! A small shop that writes Debezium change logs into files, and knows what the result has to be.
//!
//! The same seed makes the same history: orders come, change their amount or customer, move to another key and go.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use base64::Engine;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Seeds come from here, so that a failed run can be had again: `FLOE_SEED=7 cargo test ...`.
pub fn seed() -> u64 {
    let seed = std::env::var("FLOE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_240_501);
    super::progress(format_args!("seed {seed} (FLOE_SEED sets another)"));
    seed
}

pub fn random(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub customer: i64,
    /// In hundredths.
    pub cents: i64,
    /// Microseconds since 1970.
    pub created: i64,
}

#[derive(Clone)]
pub struct Shop {
    random: SmallRng,
    pub orders: BTreeMap<i64, Order>,
    next: i64,
    pub events: usize,
}

pub const TIERS: [&str; 3] = ["gold", "silver", "free"];
pub const CUSTOMERS: i64 = 12;

pub fn tier(customer: i64) -> &'static str {
    TIERS[(customer % 3) as usize]
}

impl Shop {
    pub fn new(seed: u64) -> Shop {
        Shop { random: random(seed), orders: BTreeMap::new(), next: 1, events: 0 }
    }

    fn row(id: i64, order: &Order) -> String {
        let amount = base64::engine::general_purpose::STANDARD.encode(order.cents.to_be_bytes());
        format!(r#"{{"id":{id},"customer_id":{},"amount":"{amount}","created_at":{}}}"#, order.customer, order.created)
    }

    fn delete(id: i64) -> String {
        format!(r#"{{"before":{{"id":{id},"customer_id":0,"amount":null,"created_at":null}},"after":null,"op":"d"}}"#)
    }

    fn order(&mut self) -> Order {
        Order {
            customer: self.random.random_range(0..CUSTOMERS + 2), // two of them are nobody
            cents: self.random.random_range(-500..100_000),
            created: 1_714_557_600_000_000 + self.random.random_range(0..600_000_000i64),
        }
    }

    /// The lines of one more change, applied to what the shop knows.
    fn change(&mut self) -> Vec<String> {
        let known: Vec<i64> = self.orders.keys().copied().collect();
        let dice = self.random.random_range(0..10);
        if known.len() < 5 || dice < 4 {
            let (id, order) = (self.next, self.order());
            self.next += 1;
            let line = format!(r#"{{"before":null,"after":{},"op":"c"}}"#, Shop::row(id, &order));
            self.orders.insert(id, order);
            return vec![line];
        }
        let id = known[self.random.random_range(0..known.len())];
        match dice {
            4..=6 => {
                let order = self.order();
                let line = format!(r#"{{"before":null,"after":{},"op":"u"}}"#, Shop::row(id, &order));
                self.orders.insert(id, order);
                vec![line]
            }
            7..=8 => {
                self.orders.remove(&id);
                vec![Shop::delete(id)]
            }
            // A change of the key is shipped as a delete and a create.
            _ => {
                let order = self.orders.remove(&id).expect("known");
                let to = self.next;
                self.next += 1;
                let create = format!(r#"{{"before":null,"after":{},"op":"c"}}"#, Shop::row(to, &order));
                self.orders.insert(to, order);
                vec![Shop::delete(id), create]
            }
        }
    }

    /// Appends `changes` changes to the file.
    pub fn write(&mut self, file: &Path, changes: usize) {
        let mut text = String::new();
        for _ in 0..changes {
            for line in self.change() {
                self.events += 1;
                text.push_str(&line);
                text.push('\n');
            }
        }
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).expect("a change log");
        file.write_all(text.as_bytes()).expect("written");
    }

    /// What the view `revenue` has to hold: `window_start|tier|orders|revenue|low|high`, sorted.
    pub fn revenue(&self) -> Vec<String> {
        let mut groups: BTreeMap<(i64, &str), Vec<i64>> = BTreeMap::new();
        for order in self.orders.values().filter(|o| o.customer < CUSTOMERS) {
            groups.entry((order.created / 60_000_000, tier(order.customer))).or_default().push(order.cents);
        }
        let money = |cents: i64| format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100);
        let time = |minute: i64| format!("2024-05-01 10:{:02}:00", minute - 1_714_557_600 / 60);
        let mut lines: Vec<String> = groups
            .iter()
            .map(|((minute, tier), cents)| {
                let (low, high) = (cents.iter().min().expect("not empty"), cents.iter().max().expect("not empty"));
                format!("{}|{tier}|{}|{}|{}|{}", time(*minute), cents.len(), money(cents.iter().sum()), money(*low), money(*high))
            })
            .collect();
        lines.sort();
        lines
    }
}

/// The statements that set the example up over a change log and a table of customers.
pub fn definitions(log: &Path) -> Vec<String> {
    let customers: Vec<String> = (0..CUSTOMERS).map(|id| format!("({id}, 'customer {id}', '{}')", tier(id))).collect();
    vec![
        format!(
            "CREATE SOURCE orders (id BIGINT, customer_id BIGINT, amount NUMERIC(12,2), created_at TIMESTAMP, PRIMARY KEY (id)) \
             WITH (connector = 'file', path = '{}') FORMAT DEBEZIUM ENCODE JSON",
            log.display()
        ),
        "CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR, tier VARCHAR)".into(),
        format!("INSERT INTO customers VALUES {}", customers.join(", ")),
        "CREATE MATERIALIZED VIEW revenue AS SELECT window_start, window_end, c.tier, count(*) AS orders, sum(o.amount) AS revenue, \
         avg(o.amount) AS mean, min(o.amount) AS low, max(o.amount) AS high \
         FROM TUMBLE(orders, created_at, INTERVAL '1 minute') o JOIN customers c ON o.customer_id = c.id \
         GROUP BY window_start, window_end, c.tier"
            .into(),
    ]
}

/// The columns that [`Shop::revenue`] gives.
pub const REVENUE: &str = "SELECT window_start, tier, orders, revenue, low, high FROM revenue";

pub fn revenue_of(sql: &super::Sql) -> Vec<String> {
    let mut lines = sql.lines(REVENUE);
    lines.sort();
    lines
}
