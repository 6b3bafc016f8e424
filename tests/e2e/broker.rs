//! What only a broker shows: partitions that come later, and transactions that are taken back.

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{Floe, services};

const PATIENCE: Duration = Duration::from_secs(30);

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", services::setting("KAFKA"));
    config
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
    services::up(&["kafka-broker"]);
    let topic = format!("numbers-{}", std::process::id());
    let admin: AdminClient<DefaultClientContext> = config().create().expect("an admin client");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = block_on(admin.create_topics(&[NewTopic::new(&topic, 1, TopicReplication::Fixed(1))], &options)).expect("an answer");
    made.into_iter().for_each(|topic| assert!(topic.is_ok(), "{topic:?}"));
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

    let grown = block_on(admin.create_partitions(&[NewPartitions::new(&topic, 2)], &options)).expect("an answer");
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
