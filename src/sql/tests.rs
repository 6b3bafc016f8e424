//! Statements by their text: what they come to, and what is said about wrong ones.

use crate::types::SqlState;

use super::*;

/// The statement's tree, short enough to compare.
fn shown(text: &str) -> String {
    match parse(text) {
        Ok(parsed) => parsed.iter().map(|p| summary(&p.statement)).collect::<Vec<_>>().join("; "),
        Err(error) => format!("{}", error.report()),
    }
}

fn summary(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) => format!("query {query}"),
        Statement::CreateSource(s) => {
            let columns: Vec<String> =
                s.columns.iter().map(|c| format!("{} {}{}", c.name, c.sql_type, if c.nullable { "" } else { " not null" })).collect();
            let options: Vec<String> = s.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let watermark = s.watermark.as_ref().map_or(String::new(), |w| format!(" watermark {} {}", w.column, w.delay_micros));
            format!(
                "source {} ({}) key {:?}{watermark} with {} {} {}",
                s.name.name,
                columns.join(", "),
                s.primary_key,
                options.join(" "),
                s.format,
                s.encode
            )
        }
        Statement::CreateView(v) => format!(
            "view {} {:?} {}{}: {}",
            v.name.name,
            v.columns,
            if v.materialized { "materialized " } else { "" },
            v.if_not_exists,
            v.query_text
        ),
        Statement::CreateSink(s) => format!("sink {} {:?} {:?}", s.name.name, s.from, s.options),
        other => format!("{other:?}").split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn check(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(text, expected)| shown(text) != *expected)
        .map(|(text, expected)| format!("{text}\n  gave {}\n  not  {expected}", shown(text)))
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_example() {
    let text = "CREATE SOURCE orders (id BIGINT, customer_id BIGINT, amount NUMERIC(12,2), created_at TIMESTAMP, PRIMARY KEY (id),
        WATERMARK FOR created_at AS created_at - INTERVAL '10 seconds')
        WITH (connector = 'kafka', topic = 'shop.public.orders', properties.bootstrap.server = '127.0.0.1:9092', scan.startup.mode = 'earliest')
        FORMAT DEBEZIUM ENCODE JSON;
        CREATE SINK revenue_lake FROM revenue WITH (connector = 'iceberg', primary_key = 'a,b', 'catalog.uri' = 'x', commit_interval = 60);
        FLUSH";
    assert_eq!(
        shown(text),
        "source orders (id bigint not null, customer_id bigint, amount numeric(12,2), created_at timestamp without time zone) key [\"id\"] \
         watermark created_at 10000000 with connector=kafka properties.bootstrap.server=127.0.0.1:9092 scan.startup.mode=earliest \
         topic=shop.public.orders DEBEZIUM JSON; \
         sink revenue_lake Relation(ObjectName { schema: None, name: \"revenue\" }) {\"catalog.uri\": \"x\", \"commit_interval\": \"60\", \
         \"connector\": \"iceberg\", \"primary_key\": \"a,b\"}; Flush"
    );
}

#[test]
fn structs() {
    let column = |text: &str| match crate::sql::parse(&format!("CREATE TABLE t (c {text}, d INT)")).map(|mut s| s.pop().unwrap().statement)
    {
        Ok(Statement::CreateTable(table)) => table.columns[0].sql_type.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(
        column("STRUCT<id BIGINT, \"Name\" VARCHAR, at ROW<x REAL, deep STRUCT<n NUMERIC(12,2)>>>"),
        "struct<id bigint, Name character varying, at struct<x real, deep struct<n numeric(12,2)>>>"
    );
    assert!(column("STRUCT<a INT, a INT>").contains("specified more than once"));
    assert!(column("STRUCT<a INT>>").contains("Syntax"));
    assert!(column("STRUCT<a INT> PRIMARY KEY").contains("a primary key of type struct"));
}

#[test]
fn spellings() {
    let column = |spelling: &str| {
        let statement = parse(&format!("CREATE TABLE t (c {spelling})")).map_err(|e| e.report());
        match statement.map(|mut p| p.pop().unwrap().statement) {
            Ok(Statement::CreateTable(table)) => table.columns[0].sql_type.to_string(),
            Ok(other) => panic!("{other:?}"),
            Err(report) => report.to_string(),
        }
    };
    for (spelling, expected) in [
        ("STRING", "text"),
        ("TIMESTAMP(3)", "timestamp without time zone"),
        ("TIMESTAMP_LTZ(3)", "timestamp with time zone"),
        ("TIMESTAMPTZ", "timestamp with time zone"),
        ("timestamp with time zone", "timestamp with time zone"),
        ("NUMERIC", "numeric"),
        ("DECIMAL(10)", "numeric(10,0)"),
        ("VARCHAR(20)", "character varying(20)"),
        ("character varying", "character varying"),
        ("INT", "integer"),
        ("int8", "bigint"),
        ("DOUBLE", "double precision"),
        ("double precision", "double precision"),
        ("FLOAT", "double precision"),
        ("FLOAT(24)", "real"),
        ("BOOL", "boolean"),
        ("JSONB", "jsonb"),
        ("BYTES", "bytea"),
        ("uuid", "uuid"),
        ("int[]", "integer[]"),
        ("TEXT ARRAY", "syntax error at or near \"ARRAY\" (42601)"),
        ("numeric(50,2)", "NUMERIC precision 50 is not supported (0A000); hint: at most 38 digits are kept: use numeric(38,s), or text"),
        ("serial", "type \"serial\" is not supported (0A000); hint: use an integer type and give the values"),
        ("nothing", "type \"nothing\" does not exist (42704)"),
    ] {
        assert_eq!(column(spelling), expected, "{spelling}");
    }
    for interval in ["INTERVAL '5 minutes'", "INTERVAL '5' MINUTE", "INTERVAL '5' MINUTES", "INTERVAL 5 MINUTES"] {
        let text = format!("CREATE SOURCE s (ts TIMESTAMP(3), WATERMARK FOR ts AS ts - {interval}) WITH ('connector' = 'file')");
        assert_eq!(
            shown(&text),
            "source s (ts timestamp without time zone) key [] watermark ts 300000000 with connector=file  ",
            "{interval}"
        );
    }
}

#[test]
fn statements() {
    check(&[
        ("", ""),
        ("TABLE t", "query SELECT * FROM t"),
        (
            "CREATE MATERIALIZED VIEW IF NOT EXISTS m (a, \"B\") AS  SELECT 1,\n 2 ;",
            "view m [\"a\", \"B\"] materialized true: SELECT 1,\n 2",
        ),
        ("CREATE VIEW v AS SELECT 'a;b'", "view v [] false: SELECT 'a;b'"),
        (
            "DROP MATERIALIZED VIEW IF EXISTS a, s.b CASCADE",
            "Drop(Drop { kind: MaterializedView, if_exists: true, names: [ObjectName { schema: None, name: \"a\" }, ObjectName { schema: Some(\"s\"), \
             name: \"b\" }], cascade: true })",
        ),
        ("SHOW MATERIALIZED VIEWS", "Show(Objects { kind: MaterializedView, like: None })"),
        ("SHOW TABLES LIKE 'a%'", "Show(Objects { kind: Table, like: Some(\"a%\") })"),
        ("SHOW CREATE SOURCE x", "Show(Create { kind: Some(Source), name: ObjectName { schema: None, name: \"x\" } })"),
        ("show TimeZone", "Show(Variable(\"timezone\"))"),
        ("SHOW TIME ZONE", "Show(Variable(\"timezone\"))"),
        ("SHOW ALL", "Show(AllVariables)"),
        ("DESCRIBE \"X\"", "Describe(ObjectName { schema: None, name: \"X\" })"),
        ("SET statement_timeout = 500", "SetVariable { name: \"statement_timeout\", value: Some(\"500\"), local: false }"),
        ("SET LOCAL search_path TO a, 'b'", "SetVariable { name: \"search_path\", value: Some(\"a, b\"), local: true }"),
        ("SET SESSION x.y = DEFAULT", "SetVariable { name: \"x.y\", value: None, local: false }"),
        ("SET TIME ZONE 'UTC'", "SetVariable { name: \"timezone\", value: Some(\"UTC\"), local: false }"),
        (
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SetVariable { name: \"transaction_isolation\", value: Some(\"read committed\"), local: true }",
        ),
        ("RESET ALL; RESET x", "ResetVariable(None); ResetVariable(Some(\"x\"))"),
        (
            "BEGIN; START TRANSACTION READ ONLY; COMMIT; END; ROLLBACK; ABORT",
            "Begin { read_only: false }; Begin { read_only: true }; Commit; Commit; Rollback; Rollback",
        ),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "Begin { read_only: true }"),
        ("SAVEPOINT a; RELEASE a; ROLLBACK TO SAVEPOINT a", "Savepoint(\"a\"); ReleaseSavepoint(\"a\"); RollbackTo(\"a\")"),
        (
            "DEALLOCATE ALL; DEALLOCATE PREPARE x; CLOSE ALL; CLOSE c",
            "Deallocate(None); Deallocate(Some(\"x\")); Close(None); Close(Some(\"c\"))",
        ),
        (
            "FETCH c; FETCH 10 FROM c; FETCH FORWARD ALL IN c",
            "Fetch { name: \"c\", count: Rows(1) }; Fetch { name: \"c\", count: Rows(10) }; Fetch { name: \"c\", count: All }",
        ),
        ("DISCARD ALL", "Discard(\"ALL\")"),
        (
            "LISTEN x; UNLISTEN *; COMMENT ON TABLE t IS 'x'; REFRESH MATERIALIZED VIEW m; ANALYZE",
            "NoOperation { tag: \"LISTEN\" }; NoOperation { tag: \"UNLISTEN\" }; NoOperation { tag: \"COMMENT\" }; NoOperation { tag: \"REFRESH MATERIALIZED VIEW\" }; NoOperation { tag: \"ANALYZE\" }",
        ),
        (
            "COPY t FROM STDIN",
            "Copy(Copy { from: Relation { name: ObjectName { schema: None, name: \"t\" }, columns: [] }, to_stdout: false, format: Text, delimiter: '\\t', null: \"\\\\N\", header: false, quote: '\"' })",
        ),
        (
            "COPY t (a) TO STDOUT WITH (FORMAT csv, HEADER, NULL 'x')",
            "Copy(Copy { from: Relation { name: ObjectName { schema: None, name: \"t\" }, columns: [\"a\"] }, to_stdout: true, format: Csv, delimiter: ',', null: \"x\", header: true, quote: '\"' })",
        ),
        (
            "COPY t FROM STDIN CSV HEADER DELIMITER ';'",
            "Copy(Copy { from: Relation { name: ObjectName { schema: None, name: \"t\" }, columns: [] }, to_stdout: false, format: Csv, delimiter: ';', null: \"\", header: true, quote: '\"' })",
        ),
    ]);
    for text in [
        "EXPLAIN SELECT 1",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN CREATE MATERIALIZED VIEW m AS SELECT 1",
        "PREPARE p (int, text) AS SELECT $1, $2",
        "EXECUTE p (1, 'a')",
        "DECLARE c CURSOR FOR SELECT 1",
        "COPY (SELECT 1) TO STDOUT",
        "INSERT INTO t (a, b) VALUES (1, DEFAULT) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
        "UPDATE t AS x SET a = a + 1, b = 'c' WHERE x.a = 1",
        "DELETE FROM t WHERE a = 1",
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), INTERVAL '1' MINUTE))",
        "SELECT count(*) FROM HOP(t, c, SLIDE => 30 SECONDS, SIZE => 1 MINUTES)",
    ] {
        assert!(parse(text).is_ok(), "{text}: {}", shown(text));
    }
}

#[test]
fn wrong_statements() {
    for (text, state, message, position) in [
        ("SELEC 1", "42601", "syntax error at or near \"SELEC\"", Some(1)),
        ("SELECT 1 FROM", "42601", "syntax error at end of input", Some(14)),
        ("SELECT 1; SELECT a b FORM t", "42601", "syntax error at or near \"FORM\"", Some(22)),
        ("SELECT (1", "42601", "syntax error at end of input", Some(10)),
        ("SELECT 1 1", "42601", "syntax error at or near \"1\"", Some(10)),
        ("SHOW", "42601", "syntax error at end of input", Some(5)),
        ("COMMIT PLEASE", "42601", "syntax error at or near \"PLEASE\"", Some(8)),
        ("CREATE TABLE t (a int) WITH (connector = 'kafka')", "0A000", "a table with a connector is not supported", Some(24)),
        ("CREATE TABLE t (a int, a int)", "42701", "column \"a\" specified more than once", Some(24)),
        ("CREATE TABLE t (a int, PRIMARY KEY (b))", "42703", "column \"b\" named in key does not exist", None),
        ("CREATE TABLE t AS SELECT 1", "0A000", "CREATE TABLE ... AS is not supported", Some(16)),
        ("CREATE INDEX i ON t (a)", "0A000", "CREATE INDEX is not supported", Some(8)),
        ("CREATE SOURCE s (a int) WITH (x = 1, x = 2)", "42601", "option \"x\" is given twice", Some(38)),
        (
            "CREATE SOURCE s (a int, WATERMARK FOR a AS a - INTERVAL '1 s') WITH (x = 1)",
            "42804",
            "a watermark needs a timestamp column, and \"a\" is integer",
            None,
        ),
        ("CREATE MATERIALIZED VIEW m AS SELECT 1 FROM t EMIT ON WINDOW CLOSE", "0A000", "EMIT ON is not supported", Some(47)),
        ("ALTER SYSTEM workers = 2", "42601", "syntax error at or near \"workers\"", Some(14)),
        ("ALTER SYSTEM SET workers", "42601", "syntax error at end of input", Some(25)),
        ("ALTER TABLE t ADD COLUMN a int", "0A000", "ALTER is not supported", Some(1)),
        ("TRUNCATE t", "0A000", "TRUNCATE is not supported", Some(1)),
        ("COPY t FROM '/etc/passwd'", "0A000", "COPY with a file of the server is not supported", None),
        ("SUBSCRIBE m", "0A000", "SUBSCRIBE is not supported", Some(1)),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "0A000", "a cursor WITH HOLD is not supported", None),
        ("UPDATE t SET a = 1 FROM u", "0A000", "UPDATE ... FROM is not supported", None),
    ] {
        let report = match parse(text) {
            Ok(parsed) => panic!("{text}: {parsed:?}"),
            Err(error) => error.report(),
        };
        assert_eq!((report.sqlstate.0, report.message.as_str(), report.position), (state, message, position), "{text}");
        if report.sqlstate == SqlState::FEATURE_NOT_SUPPORTED {
            assert!(report.hint.is_some(), "{text}");
        }
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    for text in [
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}1", "- ".repeat(100_000)),
        format!("SELECT 1{}", "+1".repeat(100_000)),
        format!("SELECT x{}", "::int".repeat(20_000)),
        format!("SELECT x{}", " IS NULL".repeat(20_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(20_000)),
        format!("DELETE FROM t WHERE a = 1{}", "+1".repeat(100_000)),
        format!("INSERT INTO t VALUES (1{})", "||1".repeat(100_000)),
    ] {
        let report = parse(&text).unwrap_err().report();
        assert_eq!(report.sqlstate, SqlState::PROGRAM_LIMIT_EXCEEDED);
    }
    let wrong = format!("SELECT 1{} FROM FROM FROM", "+1".repeat(100_000));
    assert_eq!(parse(&wrong).unwrap_err().report().sqlstate, SqlState::PROGRAM_LIMIT_EXCEEDED, "refused before it is read to its end");
    assert!(parse(&format!("SELECT a{}", " OR a".repeat(50_000))).is_ok(), "OR and AND may be as long as one likes");
}

#[test]
fn texts_and_places() {
    let parsed = parse("  SELECT 1 ;\n\n FLUSH").unwrap();
    let places: Vec<(usize, &str)> = parsed.iter().map(|p| (p.position, p.text.as_str())).collect();
    assert_eq!(places, vec![(2, "SELECT 1"), (15, "FLUSH")]);
    let Statement::Prepare { text, .. } = &parse("PREPARE p AS SELECT $1").unwrap()[0].statement else { panic!() };
    assert_eq!(text, "SELECT $1");
}
