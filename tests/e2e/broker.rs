//! What only a broker shows: partitions that come later, transactions that are taken back, many messages at once, headers, and
//! topics that go.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{Floe, eventually, free_port, services};

const PATIENCE: Duration = Duration::from_secs(30);

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", services::setting("KAFKA"));
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}

/// A new topic, and who can change it.
fn topic_of(name: &str, partitions: i32) -> (String, AdminClient<DefaultClientContext>) {
    services::up(&["kafka-broker"]);
    let topic = format!("{name}-{}", std::process::id());
    let admin: AdminClient<DefaultClientContext> = config().create().expect("an admin client");
    let made = block_on(admin.create_topics(&[NewTopic::new(&topic, partitions, TopicReplication::Fixed(1))], &options()));
    made.expect("an answer").into_iter().for_each(|topic| assert!(topic.is_ok(), "{topic:?}"));
    (topic, admin)
}

fn source(name: &str, columns: &str, topic: &str, format: &str) -> String {
    format!(
        "CREATE SOURCE {name} ({columns}) WITH (connector = 'kafka', topic = '{topic}', properties.bootstrap.server = '{}') \
         FORMAT {format} ENCODE JSON",
        services::setting("KAFKA")
    )
}

/// Hands a record to the producer, waiting where it has too many.
fn send(producer: &BaseProducer, mut record: BaseRecord<'_, str, str>) {
    while let Err((error, back)) = producer.send(record) {
        assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
        producer.poll(Duration::from_millis(10));
        record = back;
    }
}

/// Sends the numbers to a partition in one transaction, and ends it.
fn transaction(topic: &str, partition: i32, numbers: &[i64], commit: bool) {
    let producer: BaseProducer = config().set("transactional.id", format!("{topic}-writer")).create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("transactions");
    producer.begin_transaction().expect("a transaction");
    for number in numbers {
        let text = format!("{{\"n\":{number}}}");
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&text);
        producer.send(record).map_err(|(error, _)| error).expect("a record is taken");
    }
    // Also what is taken back is on the broker before it is.
    producer.flush(PATIENCE).expect("the records are sent");
    match commit {
        true => producer.commit_transaction(PATIENCE).expect("committed"),
        false => producer.abort_transaction(PATIENCE).expect("aborted"),
    }
}

#[test]
fn later_partitions_are_read_from_their_start_and_aborted_transactions_never() {
    let (topic, admin) = topic_of("numbers", 1);
    transaction(&topic, 0, &[1, 2], true);
    transaction(&topic, 0, &[100], false);

    let mut floe = Floe::fresh();
    let sql = floe.sql();
    sql.run(&format!(
        "CREATE SOURCE numbers (n BIGINT) WITH (connector = 'kafka', topic = '{topic}', properties.bootstrap.server = '{}', \
         scan.startup.mode = 'earliest') FORMAT PLAIN ENCODE JSON",
        services::setting("KAFKA")
    ));
    sql.run("CREATE MATERIALIZED VIEW total AS SELECT count(*) AS rows, sum(n) AS sum FROM numbers");
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT * FROM total"), ["2|3"], "what was aborted is not there");

    let grown = block_on(admin.create_partitions(&[NewPartitions::new(&topic, 2)], &options())).expect("an answer");
    grown.into_iter().for_each(|topic| assert!(topic.is_ok(), "{topic:?}"));
    transaction(&topic, 1, &[4, 8], true);
    transaction(&topic, 1, &[200], false);
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT * FROM total"), ["4|15"], "the new partition is read from its start");

    floe.crash();
    transaction(&topic, 1, &[16], true);
    let sql = floe.sql();
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT * FROM total"), ["5|31"]);
}

/// The last value of each key has to win, whatever pieces the records are decoded in, and each record counts once.
#[test]
fn many_records_come_once_each_and_in_order() {
    const PARTITIONS: i64 = 3;
    const KEYS: i64 = 600;
    let (topic, _) = topic_of("many", PARTITIONS as i32);
    let producer: BaseProducer = config().create().expect("a producer");
    let mut rows = vec![None; KEYS as usize];
    let mut write = |numbers: std::ops::Range<i64>| {
        for number in numbers {
            // Also keys whose last record is a tombstone.
            let key = number * 7 % KEYS;
            let value = (number % 11 != 0).then(|| format!("{{\"k\":{key},\"v\":{number},\"pad\":\"{:0>100}\"}}", number));
            rows[key as usize] = value.is_some().then_some(number);
            let key_text = format!("{{\"k\":{key}}}");
            let record = BaseRecord::to(&topic).partition((key % PARTITIONS) as i32).key(key_text.as_str());
            send(
                &producer,
                match &value {
                    Some(value) => record.payload(value.as_str()),
                    None => record,
                },
            );
        }
        producer.flush(PATIENCE).expect("the records are sent");
        format!("{}|{}", rows.iter().flatten().count(), rows.iter().flatten().sum::<i64>())
    };
    let mut sent = 60_000;
    let first = write(0..sent);
    let mut floe = Floe::fresh();
    let sql = floe.sql();
    sql.run(&source("many", "k BIGINT, v BIGINT, pad VARCHAR, PRIMARY KEY (k)", &topic, "PLAIN"));
    sql.run("CREATE MATERIALIZED VIEW total AS SELECT count(*) AS rows, sum(v) AS sum FROM many");
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT * FROM total"), [first]);
    assert_eq!(sql.lines("SELECT records, dead_letters FROM floe_sources"), [format!("{sent}|0")]);
    for _ in 0..3 {
        // Killed with records on their way.
        let then = write(sent..sent + 30_000);
        sent += 30_000;
        floe.crash();
        let sql = floe.sql();
        sql.run("FLUSH");
        assert_eq!(sql.lines("SELECT * FROM total"), [then]);
    }
}

/// A key change whose large column did not change: only the headers say under which key its value is.
#[test]
fn headers_of_a_key_change_are_read() {
    let (topic, _) = topic_of("moved", 1);
    let producer: BaseProducer = config().create().expect("a producer");
    let change = |key: i64, value: Option<&str>, header: Option<(&str, &str)>| {
        let key = format!("{{\"id\":{key}}}");
        let mut record = BaseRecord::to(&topic).partition(0).key(key.as_str());
        record.payload = value;
        // One that nobody reads stands before it.
        let other = OwnedHeaders::new().insert(Header { key: "other", value: Some("x") });
        record.headers = header.map(|(key, value)| other.insert(Header { key, value: Some(value) }));
        send(&producer, record);
    };
    let row = |id: i64, note: &str| format!("{{\"before\":null,\"after\":{{\"id\":{id},\"note\":\"{note}\"}},\"op\":\"c\"}}");
    change(1, Some(&row(1, "long")), None);
    change(1, Some("{\"before\":{\"id\":1,\"note\":null},\"after\":null,\"op\":\"d\"}"), Some(("__debezium.newkey", "{\"id\":2}")));
    change(1, None, None);
    change(2, Some(&row(2, "__debezium_unavailable_value")), Some(("__debezium.oldkey", "{\"id\":1}")));
    producer.flush(PATIENCE).expect("the records are sent");
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run(&source("moved", "id BIGINT, note VARCHAR, PRIMARY KEY (id)", &topic, "DEBEZIUM"));
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT id, note FROM moved"), ["2|long"]);
    assert_eq!(sql.lines("SELECT records, dead_letters FROM floe_sources"), ["4|0"]);
}

#[test]
fn a_topic_that_goes_is_told() {
    let (topic, admin) = topic_of("gone", 2);
    transaction(&topic, 1, &[1, 2], true);
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run(&source("gone", "n BIGINT", &topic, "PLAIN"));
    sql.run("CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS rows FROM gone");
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT error IS NULL FROM floe_sources"), ["t"]);
    block_on(admin.delete_topics(&[&topic], &options())).expect("an answer");
    eventually("the source says so", PATIENCE, || match sql.lines("SELECT coalesce(error, '') FROM floe_sources").as_slice() {
        [error] if error.contains("is not there") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // What was read stays.
    assert_eq!(sql.lines("SELECT * FROM kept"), ["2"]);
}

/// The journal has what hundreds of epochs took, across the gaps that transactions leave. Which of two partitions had a key's
/// last record follows from the epochs alone: a start does them again as they were, and takes no time for each.
#[test]
fn many_journalled_epochs_are_read_again_as_they_were() {
    let (topic, _) = topic_of("journalled", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut floe = Floe::try_on(&data, free_port(), &["--checkpoint-interval", "30min"]).expect("floe starts");
    let sql = floe.sql();
    sql.run(&source("numbers", "n BIGINT, v BIGINT, PRIMARY KEY (n)", &topic, "PLAIN"));
    sql.run("CREATE MATERIALIZED VIEW total AS SELECT v % 3 AS k, count(*) AS rows, sum(v) AS sum FROM numbers GROUP BY v % 3");
    let producer: BaseProducer = config().set("linger.ms", "0").create().expect("a producer");
    for number in 0..400i64 {
        if number % 50 == 7 {
            transaction(&topic, (number % 2) as i32, &[number, number + 1000], number % 100 == 7);
        }
        let text = format!("{{\"n\":{},\"v\":{number}}}", number % 20);
        // Two records of a key in two partitions at once: either may be the last.
        for partition in [number % 2, 1 - number % 2] {
            send(&producer, BaseRecord::to(&topic).partition(partition as i32).key("").payload(&text));
        }
        producer.flush(PATIENCE).expect("the record is sent");
        std::thread::sleep(Duration::from_millis(2));
    }
    sql.run("FLUSH");
    let (rows, total) = (sql.lines("SELECT n, v FROM numbers ORDER BY n"), sql.lines("SELECT * FROM total ORDER BY k"));
    assert_eq!(sql.lines("SELECT records, dead_letters FROM floe_sources"), ["808|0"], "four transactions were committed");
    let begin = Instant::now();
    floe.crash();
    assert!(begin.elapsed() < Duration::from_secs(10), "the start took {:?}", begin.elapsed());
    assert!(floe.log().contains("replaying the journal"), "{}", floe.log());
    let sql = floe.sql();
    assert_eq!(sql.lines("SELECT n, v FROM numbers ORDER BY n"), rows);
    assert_eq!(sql.lines("SELECT * FROM total ORDER BY k"), total);
    // And from there on.
    send(&producer, BaseRecord::to(&topic).partition(0).key("").payload("{\"n\":5000,\"v\":1}"));
    producer.flush(PATIENCE).expect("the record is sent");
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT v FROM numbers WHERE n = 5000"), ["1"]);
    assert_eq!(sql.lines("SELECT count(*) FROM numbers"), [(rows.len() + 1).to_string()]);
}
