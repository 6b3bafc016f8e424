-- The example of the README over a change log in files, as `make demo` runs it.
-- FOLDER stands for the folder with orders.jsonl, customers.jsonl and clicks*.jsonl.

CREATE SOURCE orders (id BIGINT, customer_id BIGINT, amount NUMERIC(12,2), created_at TIMESTAMP, PRIMARY KEY (id),
                      WATERMARK FOR created_at AS created_at - INTERVAL '10 seconds')
  WITH (connector = 'file', path = 'FOLDER/orders.jsonl') FORMAT DEBEZIUM ENCODE JSON;

CREATE SOURCE customers (id BIGINT, name VARCHAR, tier VARCHAR, PRIMARY KEY (id))
  WITH (connector = 'file', path = 'FOLDER/customers.jsonl') FORMAT DEBEZIUM ENCODE JSON;

CREATE SOURCE clicks (user_id BIGINT, url VARCHAR, ts TIMESTAMP)
  WITH (connector = 'file', path = 'FOLDER/clicks*.jsonl') FORMAT PLAIN ENCODE JSON;

CREATE MATERIALIZED VIEW revenue AS
  SELECT window_start, window_end, c.tier, count(*) AS orders, sum(o.amount) AS revenue,
         avg(o.amount) AS mean, min(o.amount) AS low, max(o.amount) AS high
  FROM TUMBLE(orders, created_at, INTERVAL '1 minute') o JOIN customers c ON o.customer_id = c.id
  GROUP BY window_start, window_end, c.tier;

CREATE SINK click_lake FROM clicks
  WITH (connector = 'iceberg', type = 'append-only', catalog.type = 'sql', catalog.uri = 'sqlite:FOLDER/catalog.db',
        warehouse.path = 'FOLDER/warehouse', database.name = 'shop', table.name = 'clicks',
        create_table_if_not_exists = 'true', commit_interval = '1 s');

CREATE SINK revenue_lake FROM revenue
  WITH (connector = 'iceberg', type = 'upsert', primary_key = 'window_start,tier', catalog.type = 'sql',
        catalog.uri = 'sqlite:FOLDER/catalog.db', warehouse.path = 'FOLDER/warehouse', database.name = 'shop',
        table.name = 'revenue', create_table_if_not_exists = 'true', commit_interval = '1 s');
