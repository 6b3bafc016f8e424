//! What several views keep is there once, whoever of them comes and goes, and each of them is right all the same.

use std::path::Path;

use super::{CoordinatorConfig, Floe};

const SOLD: &str = "SELECT c.name, s.item, s.price FROM sales s JOIN customers c ON s.customer = c.id";
/// A side of its join is one of `SOLD`'s; the other one has other columns.
const BY_NAME: &str = "SELECT c.name, sum(s.price) AS spent FROM sales s JOIN customers c ON s.customer = c.id GROUP BY c.name";
/// It has all of `BY_NAME` in it.
const RICH: &str = "SELECT name FROM (SELECT c.name, sum(s.price) AS spent FROM sales s JOIN customers c ON s.customer = c.id GROUP BY c.name) t WHERE spent > 500";
/// Both sides of its join are the same.
const ALIKE: &str =
    "SELECT a.item, b.item AS other, count(*) AS n FROM sales a JOIN sales b ON a.customer = b.customer GROUP BY a.item, b.item";
/// A group of it has a number that no other has at that time.
const ITEMS: &str = "SELECT customer, count(DISTINCT item) AS items, count(*) AS n FROM sales GROUP BY customer";
const MANY_ITEMS: &str = "SELECT customer FROM (SELECT customer, count(DISTINCT item) AS items, count(*) AS n FROM sales GROUP BY customer) t WHERE items > 2 AND n > 0";

const VIEWS: [(&str, &str); 6] =
    [("sold", SOLD), ("by_name", BY_NAME), ("rich", RICH), ("alike", ALIKE), ("items", ITEMS), ("many_items", MANY_ITEMS)];

async fn tables(floe: &Floe) {
    floe.sql(
        "CREATE TABLE customers (id INT PRIMARY KEY, name TEXT); \
         CREATE TABLE sales (id INT PRIMARY KEY, customer INT, item INT, price BIGINT); \
         INSERT INTO customers SELECT g, 'customer ' || (g % 40) FROM generate_series(1, 100) AS g; \
         INSERT INTO sales SELECT g, g % 120, g % 7, g FROM generate_series(1, 1500) AS g",
    )
    .await;
}

async fn change(floe: &Floe, round: i64) {
    floe.sql(&format!(
        "BEGIN; DELETE FROM sales WHERE id % 11 = {0}; UPDATE customers SET name = name || '!' WHERE id % 9 = {0}; \
         UPDATE sales SET customer = customer + 1, price = price + {0} WHERE id % 5 = {0} % 5; \
         DELETE FROM sales WHERE customer % 13 = {0}; \
         INSERT INTO sales SELECT {0} * 100000 + g, g % 120, g % 6, g FROM generate_series(1, 300) AS g; COMMIT; \
         DELETE FROM customers WHERE id = {0} + 50; INSERT INTO sales VALUES ({0} * 100000, 3, {0}, 1)",
        round
    ))
    .await;
}

async fn are_right(floe: &Floe, views: &[(&str, &str)], when: &str) {
    for (name, query) in views {
        let rows = floe.sql(&format!("SELECT * FROM {name}")).await;
        assert!(!rows.is_empty() && rows == floe.sql(query).await, "{name}, {when}");
    }
}

/// Entries of the joins of a view.
async fn of_joins(floe: &Floe, view: &str) -> i64 {
    let sum = format!("SELECT coalesce(sum(entries), 0) FROM floe_memory WHERE name = '{view}' AND operator = 'InnerJoin'");
    floe.sql(&sum).await[0].parse().unwrap()
}

async fn open(folder: &Path) -> Floe {
    Floe::open_with(CoordinatorConfig { workers: 2, ..CoordinatorConfig::default() }, folder).await
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_come_and_go_keep_things_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut floe = open(folder.path()).await;
    tables(&floe).await;
    for (name, query) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {query}")).await;
    }
    // The sales of each view, and the customers once.
    assert_eq!((of_joins(&floe, "sold").await, of_joins(&floe, "by_name").await), (1600, 1500));
    assert_eq!((of_joins(&floe, "rich").await, of_joins(&floe, "alike").await), (0, 1500));
    let explained = floe.in_order("EXPLAIN ANALYZE by_name").await.unwrap().join("\n");
    assert!(explained.contains("state kept with sold"), "{explained}");
    let explained = floe.in_order("EXPLAIN ANALYZE many_items").await.unwrap().join("\n");
    assert!(explained.contains("state kept with items"), "{explained}");

    for round in 1..=3 {
        change(&floe, round).await;
        are_right(&floe, &VIEWS, "changed").await;
    }
    floe.close().await;
    floe = open(folder.path()).await;
    are_right(&floe, &VIEWS, "after a restart").await;
    change(&floe, 4).await;
    are_right(&floe, &VIEWS, "changed after a restart").await;

    // What those had first is the others' now.
    floe.sql("DROP MATERIALIZED VIEW sold; DROP MATERIALIZED VIEW items; DROP MATERIALIZED VIEW by_name").await;
    let left = [("rich", RICH), ("alike", ALIKE), ("many_items", MANY_ITEMS)];
    assert!(of_joins(&floe, "rich").await > 1000);
    for round in 5..=6 {
        change(&floe, round).await;
        are_right(&floe, &left, "after a drop").await;
    }
    floe.close().await;
    floe = open(folder.path()).await;
    floe.sql(&format!("CREATE MATERIALIZED VIEW sold AS {SOLD}; CREATE MATERIALIZED VIEW items AS {ITEMS}")).await;
    let left = [("rich", RICH), ("alike", ALIKE), ("many_items", MANY_ITEMS), ("sold", SOLD), ("items", ITEMS)];
    change(&floe, 7).await;
    are_right(&floe, &left, "made again").await;
    let explained = floe.in_order("EXPLAIN ANALYZE items").await.unwrap().join("\n");
    assert!(explained.contains("state kept with many_items"), "{explained}");

    for (name, _) in left {
        floe.sql(&format!("DROP MATERIALIZED VIEW {name}")).await;
    }
    assert_eq!(floe.sql("SELECT DISTINCT name FROM floe_memory WHERE entries > 0").await, ["customers", "sales"]);
    floe.sql(&format!("CREATE MATERIALIZED VIEW by_name AS {BY_NAME}")).await;
    are_right(&floe, &[("by_name", BY_NAME)], "alone").await;
    floe.close().await;
}

/// Little memory: what is kept together leaves it and comes back for all.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_together_may_be_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let config = CoordinatorConfig { state_memory: Some(1 << 10), ..CoordinatorConfig::default() };
    let floe = Floe::open_with(config, folder.path()).await;
    tables(&floe).await;
    for (name, query) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {query}; CHECKPOINT")).await;
    }
    for round in 1..=4 {
        change(&floe, round).await;
        floe.sql("CHECKPOINT").await;
        are_right(&floe, &VIEWS, "changed").await;
    }
    floe.close().await;
}
