//! The shop's own database, and the Debezium connector that ships its changes: made for one test, taken away after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::Rng;
use serde_json::json;

use super::support::client::runtime;
use super::support::{Sql, eventually, services, shop};

pub const CUSTOMERS: i64 = 20;

pub struct Upstream {
    /// Of the database, the topics, the slot and the connector.
    pub name: String,
}

pub struct Worker {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

impl Worker {
    /// The number of transactions.
    pub fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the workload runs through");
        self.done.load(Ordering::Relaxed)
    }
}

impl Upstream {
    pub fn create() -> Upstream {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let upstream = Upstream { name: format!("shop_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)) };
        let admin = Sql::connect(services::setting("POSTGRES")).expect("PostgreSQL answers");
        admin.run(&format!("CREATE DATABASE {}", upstream.name));
        let sql = upstream.sql();
        sql.run("CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR, tier VARCHAR)");
        sql.run("CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT, amount NUMERIC(12,2), created_at TIMESTAMP)");
        sql.run(&format!(
            "INSERT INTO customers SELECT i, 'customer ' || i, (ARRAY['gold', 'silver', 'free'])[1 + i % 3] FROM generate_series(1, {CUSTOMERS}) i"
        ));
        // The rows that the connector's snapshot ships.
        sql.run(
            "INSERT INTO orders SELECT i, 1 + i % 22, (i * 37 % 10000) / 100.0, TIMESTAMP '2024-05-01 10:00' + i * INTERVAL '0.7 seconds' \
             FROM generate_series(1, 500) i",
        );
        upstream.connect();
        upstream
    }

    pub fn topic(&self, table: &str) -> String {
        format!("{}.public.{table}", self.name)
    }

    pub fn sql(&self) -> Sql {
        let address = services::setting("POSTGRES").replace("dbname=floe", &format!("dbname={}", self.name));
        Sql::connect(&address).expect("PostgreSQL answers")
    }

    /// The connector's defaults, but for what it cannot guess: where the database is, and the plugin that PostgreSQL brings.
    fn connect(&self) {
        let config = json!({
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": "127.0.0.1",
            "database.port": services::setting("POSTGRES_PORT"),
            "database.user": "floe",
            "database.password": "floe",
            "database.dbname": self.name,
            "topic.prefix": self.name,
            "plugin.name": "pgoutput",
            "slot.name": self.name,
            "publication.name": self.name,
        });
        let url = format!("{}/connectors/{}", services::setting("CONNECT"), self.name);
        let client = reqwest::Client::new();
        runtime().block_on(async {
            let answer = client.put(format!("{url}/config")).json(&config).send().await.expect("Connect answers");
            assert!(answer.status().is_success(), "{:?}", answer.text().await);
        });
        eventually("the connector runs", Duration::from_secs(60), || {
            let status: serde_json::Value = runtime()
                .block_on(async { client.get(format!("{url}/status")).send().await?.json().await })
                .map_err(|e: reqwest::Error| e.to_string())?;
            if status["tasks"][0]["state"] == "RUNNING" { Ok(()) } else { Err(status.to_string()) }
        });
        // Topics come with the first record of each table: the snapshot's.
        eventually("the topics are there", Duration::from_secs(60), || {
            let lists = kafka_topics();
            let missing: Vec<String> = ["orders", "customers"].iter().map(|t| self.topic(t)).filter(|t| !lists.contains(t)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("missing: {missing:?}")) }
        });
    }

    /// Inserts, updates, deletes and key changes, in transactions, some of them rolled back, until it is stopped.
    pub fn work(&self, seed: u64) -> Worker {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (sql, stopped, count) = (self.sql(), stop.clone(), done.clone());
        let thread = std::thread::spawn(move || {
            let mut random = shop::random(seed ^ 0xf10e);
            let mut next = 10_000i64;
            while !stopped.load(Ordering::Relaxed) {
                let mut statements = Vec::new();
                for _ in 0..random.random_range(1..6) {
                    let some = random.random_range(0..50);
                    statements.push(match random.random_range(0..12) {
                        0..=4 => {
                            let rows = random.random_range(1..20);
                            let (from, to) = (next, next + rows - 1);
                            next += rows;
                            format!(
                                "INSERT INTO orders SELECT i, 1 + (i * 7 + {some}) % 22, ((i * 7919 + {some}) % 100000) / 100.0 - 50, \
                                 TIMESTAMP '2024-05-01 10:00' + ((i * 31 + {some}) % 900) * INTERVAL '1.1 seconds' FROM generate_series({from}::bigint, {to}) i"
                            )
                        }
                        5..=6 => format!("UPDATE orders SET amount = amount + {some}.25 WHERE id % 53 = {some}"),
                        7 => format!("UPDATE orders SET created_at = created_at + INTERVAL '1 minute', customer_id = 1 + {some} % 22 WHERE id % 97 = {some}"),
                        8..=9 => format!("DELETE FROM orders WHERE id % 61 = {some}"),
                        // A key change; the new keys are new.
                        10 => {
                            let to = next + 1_000_000;
                            next = to + 1_000_000;
                            format!("UPDATE orders SET id = id % 1000000 + {to} WHERE id % 71 = {some}")
                        }
                        _ => format!("UPDATE customers SET tier = (ARRAY['gold', 'silver', 'free'])[1 + {some} % 3] WHERE id = 1 + {some} % {CUSTOMERS}"),
                    });
                }
                let end = if random.random_range(0..10) == 0 { "ROLLBACK" } else { "COMMIT" };
                // Two keys may meet: then the whole transaction is gone, here and downstream.
                if let Err(e) = sql.try_run(&format!("BEGIN; {}; {end}", statements.join("; "))) {
                    assert_eq!(e.sqlstate, "23505", "the workload itself is wrong: {e}");
                    sql.run("ROLLBACK");
                }
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(random.random_range(5..60)));
            }
        });
        Worker { stop, done, thread }
    }

    /// How many records the connector has written.
    pub fn events(&self) -> i64 {
        use rdkafka::consumer::{BaseConsumer, Consumer};
        let consumer: BaseConsumer = consumer();
        let count = |topic: &str| consumer.fetch_watermarks(topic, 0, Duration::from_secs(10)).map_or(0, |(low, high)| high - low);
        count(&self.topic("orders")) + count(&self.topic("customers"))
    }
}

fn consumer() -> rdkafka::consumer::BaseConsumer {
    rdkafka::ClientConfig::new().set("bootstrap.servers", services::setting("KAFKA")).create().expect("a Kafka client")
}

fn kafka_topics() -> Vec<String> {
    use rdkafka::consumer::Consumer;
    let metadata = consumer().fetch_metadata(None, Duration::from_secs(10));
    metadata.map_or(Vec::new(), |m| m.topics().iter().map(|t| t.name().to_string()).collect())
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // The connector first: its slot can go only when nobody reads it.
        let url = format!("{}/connectors/{}", services::setting("CONNECT"), self.name);
        let client = reqwest::Client::new();
        let _ = runtime().block_on(async { client.delete(&url).send().await });
        let Ok(admin) = Sql::connect(services::setting("POSTGRES")) else { return };
        for _ in 0..50 {
            let slot = format!(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{}' AND NOT active",
                self.name
            );
            let _ = admin.try_run(&slot);
            if admin.try_run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
