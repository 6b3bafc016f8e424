//! What the system relations and functions answer.

use super::super::rewrite::rewrite;
use super::super::view::Effect;
use super::super::{registry, shape};
use super::clients::sections;
use super::world::{ORDERS, run, text, view};

#[test]
fn rows_name_only_columns_that_are_there() {
    let view = view();
    for shape in shape::all() {
        let rows = registry::rows(shape, &view);
        assert!(rows.unknown.is_empty(), "{}.{}: {:?}", shape.schema, shape.name, rows.unknown);
        let batch = rows.batch().unwrap();
        for (column, array) in shape.columns.iter().zip(batch.columns()) {
            assert!(column.nullable || array.null_count() == 0, "{}.{} has NULL", shape.name, column.name);
        }
    }
}

#[test]
fn relations_have_their_kinds() {
    let listed = text("SELECT relname, relkind, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid");
    let key = (1 << 30) + ORDERS;
    let expected = format!(
        "orders|r|16384\nrevenue|m|16385\nbig|v|16386\nlake|f|16387\nsettings|r|16388\norders_pkey|i|{key}\nsettings_pkey|i|{}",
        key + 4
    );
    assert_eq!(listed, expected);
}

#[test]
fn columns_have_their_types() {
    let sql = "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef)
        FROM pg_attribute a WHERE attrelid = 'orders'::regclass OR attrelid = 'settings'::regclass ORDER BY attrelid, attnum";
    let expected = "id|bigint|t|\ncustomer|character varying(20)|f|\namount|numeric(12,2)|f|\nat|timestamp with time zone|f|\n\
        tags|text[]|f|\nKey|text|t|\nvalue|text|f|'none'\nn|integer|t|";
    assert_eq!(text(sql), expected);
}

#[test]
fn keys_are_indexes_and_constraints() {
    let sql = "SELECT i.indexrelid::regclass, i.indkey, i.indkey[0], pg_get_indexdef(i.indexrelid), pg_get_constraintdef(c.oid),
        pg_get_indexdef(i.indexrelid, 2, true), c.conkey
        FROM pg_index i JOIN pg_constraint c ON c.conindid = i.indexrelid ORDER BY i.indrelid";
    let expected = "orders_pkey|{1}|1|CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)|PRIMARY KEY (id)||{1}\n\
        settings_pkey|{3,1}|3|CREATE UNIQUE INDEX settings_pkey ON public.settings USING btree (n, \"Key\")|\
        PRIMARY KEY (n, \"Key\")|\"Key\"|{3,1}";
    assert_eq!(text(sql), expected);
}

#[test]
fn views_show_their_query() {
    let expected =
        " SELECT customer, sum(amount) AS total FROM orders GROUP BY customer;| SELECT id, amount FROM orders WHERE amount > 100;|";
    assert_eq!(text("SELECT pg_get_viewdef('revenue'), pg_get_viewdef('big'::regclass, true), pg_get_viewdef(16384)"), expected);
}

#[test]
fn options_of_a_sink_are_not_shown() {
    assert_eq!(
        text("SELECT ftrelid::regclass, ftoptions, s.srvname FROM pg_foreign_table JOIN pg_foreign_server s ON s.oid = ftserver"),
        "lake||iceberg"
    );
}

#[test]
fn names_and_numbers_lead_to_each_other() {
    for (sql, expected) in [
        ("SELECT 'orders'::regclass", "orders"),
        ("SELECT 'public.orders'::regclass::oid", "16384"),
        ("SELECT 16384::regclass::text", "orders"),
        ("SELECT 99::regclass", "99"),
        ("SELECT 'int4'::regtype, 'pg_catalog.text'::regtype::oid", "integer|25"),
        ("SELECT to_regclass('missing'), to_regclass('pg_class')", "|1259"),
        ("SELECT 'public'::regnamespace::oid", "2200"),
        ("SELECT pg_get_userbyid(10), pg_get_userbyid(11)", "ann|unknown (OID=11)"),
        ("SELECT current_schemas(true), current_schemas(false)", "{pg_catalog,public}|{public}"),
        ("SELECT pg_table_is_visible(16384), pg_table_is_visible(1)", "t|"),
    ] {
        assert_eq!(text(sql), expected, "{sql}");
    }
}

#[test]
fn what_is_missing_is_an_error() {
    for (sql, message) in [
        ("SELECT 'missing'::regclass", "relation \"missing\" does not exist"),
        ("SELECT 'missing'::regtype", "type \"missing\" does not exist"),
        ("SELECT current_setting('missing')", "unrecognized configuration parameter \"missing\""),
        ("SELECT pg_get_userbyid()", "function pg_get_userbyid() does not exist"),
    ] {
        let failed = run(sql, &view()).unwrap_err().to_string();
        assert!(failed.contains(message), "{sql}: {failed}");
    }
}

#[test]
fn the_version_is_one() {
    let sql = "SELECT version(), current_setting('server_version'), current_setting('server_version_num')";
    assert_eq!(text(sql), "PostgreSQL 15.9 on x86_64-pc-linux-gnu (floe 0.1.0)|15.9 (floe 0.1.0)|150009");
}

#[test]
fn set_config_asks_the_coordinator() {
    let view = view();
    run("SELECT pg_catalog.set_config('search_path', '', false)", &view).unwrap();
    let expected = Effect::Set { name: "search_path".into(), value: String::new(), local: false };
    assert_eq!(*view.effects.lock().unwrap(), [expected]);
}

#[test]
fn user_statements_are_left_alone() {
    use sqlparser::{dialect::PostgreSqlDialect, parser::Parser};
    for sql in [
        "SELECT (SELECT id FROM orders), ARRAY(SELECT oid FROM pg_class) FROM orders",
        "SELECT c.oid::regclass FROM pg_class c JOIN orders ON true",
    ] {
        let before = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        let mut after = before.clone();
        if let sqlparser::ast::Statement::Query(query) = &mut after {
            rewrite(query, &view());
        }
        assert_eq!(before, after);
    }
}

#[test]
fn lookups_by_psql_answer() {
    for (sql, expected) in [
        (
            "SELECT c.oid, c.relname FROM pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(revenue)$' COLLATE pg_catalog.default",
            "16385|revenue",
        ),
        (
            "SELECT rolname, ARRAY(SELECT b.rolname FROM pg_auth_members m JOIN pg_roles b ON m.roleid = b.oid WHERE m.member = r.oid) FROM pg_roles r",
            "ann|{}",
        ),
        ("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg/_%' ESCAPE '/' ORDER BY 1", "information_schema\npublic"),
        ("SELECT datname, pg_encoding_to_char(encoding) FROM pg_database", "floe|UTF8"),
        ("SELECT c.tableoid::regclass, relname FROM pg_class c WHERE oid = 16384", "pg_class|orders"),
    ] {
        assert_eq!(text(sql), expected, "{sql}");
    }
}

/// What the statements of a psql command answer, joined by a line.
fn psql(command: &str) -> Vec<String> {
    let file = sections(include_str!("../../../../tests/data/psql15.sql"));
    file.iter().filter(|(title, _)| title == command).map(|(_, sql)| text(sql)).collect()
}

#[test]
fn psql_lists_what_there_is() {
    let all = "public|big|view|ann\npublic|lake|foreign table|ann\npublic|orders|table|ann\n\
        public|revenue|materialized view|ann\npublic|settings|table|ann";
    assert_eq!(psql("\\d"), [all]);
    assert_eq!(psql("\\dt"), ["public|orders|table|ann\npublic|settings|table|ann"]);
    assert_eq!(psql("\\dm"), ["public|revenue|materialized view|ann"]);
    assert_eq!(psql("\\dv"), ["public|big|view|ann"]);
    assert_eq!(psql("\\dE"), ["public|lake|foreign table|ann"]);
    assert_eq!(psql("\\dn"), ["public|ann"]);
    assert_eq!(psql("\\l"), ["floe|ann|UTF8|C.UTF-8|C.UTF-8||libc|"]);
    assert_eq!(psql("\\du"), ["ann|t|t|t|t|t|-1||{}|t|t"]);
    assert_eq!(psql("\\df"), [""]);
    assert_eq!(psql("\\det"), ["public|lake|iceberg"]);
}

#[test]
fn psql_describes_a_relation() {
    let columns = "id|bigint||t|||\ncustomer|character varying(20)||f|||\namount|numeric(12,2)||f|||\n\
        at|timestamp with time zone||f|||\ntags|text[]||f|||";
    let orders = psql("\\d orders");
    assert!(orders.contains(&columns.to_string()), "{orders:?}");
    assert!(
        orders.contains(
            &"orders_pkey|t|t|f|t|CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)|PRIMARY KEY (id)|p|f|f|f|0".to_string()
        ),
        "{orders:?}"
    );
    let revenue = psql("\\d+ revenue");
    assert!(revenue.contains(&" SELECT customer, sum(amount) AS total FROM orders GROUP BY customer;".to_string()), "{revenue:?}");
}

#[test]
fn drivers_learn_keys_and_columns() {
    let file = sections(include_str!("../../../../tests/data/drivers.sql"));
    let answer = |wanted: &str| file.iter().find(|(title, _)| title == wanted).map(|(_, sql)| text(sql)).unwrap_or_default();
    for (title, expected) in [
        ("pgjdbc: getPrimaryKeys", "|public|orders|id|1|orders_pkey"),
        ("rails: primary keys", "id"),
        ("sqlalchemy: primary key", "16384|{id}|orders_pkey|"),
        ("sqlalchemy: has_table", "orders"),
        ("sqlalchemy: schemas", "information_schema\npublic"),
        ("psycopg: type by name", "int4|23|1007|integer|,"),
        ("pgjdbc: type information", "f|b|numeric|1700"),
        ("pgjdbc: type name of a number", "t|pg_catalog|numeric"),
        ("grafana: server version", "1500"),
        ("any: regclass", "orders|16384|"),
        ("power bi: keys", "public_orders_pkey|id|1|Y"),
    ] {
        assert_eq!(answer(title), expected, "{title}");
    }
}
