//! A commit whose outcome nobody was told: it landed and the answer was lost, or it never arrived. Either way the rows are
//! in the table once.

mod support;

use std::time::Duration;

use support::proxy::{Fault, Proxy};
use support::{Floe, eventually, progress, services};

/// `POST /v1/namespaces/NAMESPACE/tables/TABLE`: a commit to a table, and not the creation of one.
fn commits(first_line: &str) -> bool {
    first_line.starts_with("POST ") && first_line.contains("/tables/")
}

fn with(catalog: &str, table: &str) -> String {
    format!(
        "connector = 'iceberg', catalog.type = 'rest', catalog.uri = '{catalog}', warehouse.path = '{}', s3.endpoint = '{}', \
         s3.access.key = '{}', s3.secret.key = '{}', s3.region = '{}', s3.path.style.access = 'true', database.name = 'lost_{}', \
         table.name = '{table}', create_table_if_not_exists = 'true', commit_interval = '1 s'",
        services::setting("WAREHOUSE"),
        services::setting("S3"),
        services::setting("S3_KEY"),
        services::setting("S3_SECRET"),
        services::setting("S3_REGION"),
        std::process::id(),
    )
}

fn rounds(faults: &[Fault], kill: bool) {
    services::up(&["s3", "catalog"]);
    let proxy = Proxy::before(services::setting("CATALOG"), commits);
    let table = format!(
        "t{}{}",
        if kill { "killed_" } else { "" },
        faults.iter().map(|f| format!("{f:?}").to_lowercase()).collect::<Vec<_>>().join("_")
    );
    let mut floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)");
    sql.run(&format!("CREATE SINK lake FROM t WITH ({}, type = 'upsert', primary_key = 'id')", with(&proxy.url, &table)));
    let mut expected = Vec::new();
    let name = format!("lost_{}.{table}", std::process::id());
    for round in 0..4 {
        let mut values = Vec::new();
        for id in round * 10..round * 10 + 10 {
            values.push(format!("({id}, 'round {round}')"));
            expected.push(format!("{id}|round {round}"));
        }
        if round > 0 {
            proxy.arm(faults);
        }
        let before = proxy.done().len();
        floe.sql().run(&format!("INSERT INTO t VALUES {}", values.join(", ")));
        if round > 0 {
            eventually("the fault happens", Duration::from_secs(30), || match proxy.done().len() - before {
                n if n == faults.len() => Ok(()),
                n => Err(format!("{n} of {} faults", faults.len())),
            });
            if kill {
                floe.crash();
            }
        }
        let mut sorted = expected.clone();
        sorted.sort();
        for reader in ["pyiceberg", "duckdb"] {
            eventually(&format!("round {round}: {reader} sees each row once"), Duration::from_secs(30), || {
                // The catalog has no table before the first commit.
                let rows = std::panic::catch_unwind(|| services::read_iceberg(reader, &["--rest", &name], "id,v")).unwrap_or_default();
                if rows == sorted { Ok(()) } else { Err(format!("{} rows, {} expected: {rows:?}", rows.len(), sorted.len())) }
            });
        }
    }
    // A commit that came twice would have landed twice; settled, nothing more is sent.
    std::thread::sleep(Duration::from_secs(2));
    let landed = proxy.landed();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(proxy.landed(), landed, "commits go on with nothing to commit");
    progress(format_args!("{faults:?}{}: {:?}", if kill { " and kill -9" } else { "" }, proxy.done()));
    floe.sql().run("DROP SINK lake");
}

#[test]
fn the_answer_of_a_commit_that_landed_is_lost() {
    rounds(&[Fault::LoseAnswer], false);
}

#[test]
fn the_answer_is_lost_and_floe_is_killed() {
    rounds(&[Fault::LoseAnswer], true);
}

#[test]
fn the_server_says_500_to_a_commit_that_landed() {
    rounds(&[Fault::AnswerServerError], false);
}

#[test]
fn the_commit_never_arrives_twice_in_a_row() {
    rounds(&[Fault::LoseRequest, Fault::LoseRequest], false);
}

/// The proxy does what the tests above rely on.
#[test]
fn the_proxy_loses_what_it_is_told_to_lose() {
    use std::io::{BufRead, BufReader, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", server.local_addr().expect("bound"));
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    std::thread::spawn(move || {
        for mut client in server.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let lines = BufReader::new(client.try_clone().expect("a second handle")).lines();
            lines.map_while(Result::ok).take_while(|l| !l.is_empty()).for_each(drop);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    let proxy = Proxy::before(&url, commits);
    let post = |path: &str| {
        let request = reqwest::Client::new().post(format!("{}{path}", proxy.url)).send();
        support::client::runtime().block_on(request).map(|r| r.status().as_u16()).ok()
    };
    assert_eq!(post("/v1/namespaces/n/tables/t"), Some(200));
    proxy.arm(&[Fault::LoseAnswer, Fault::AnswerServerError, Fault::LoseRequest]);
    assert_eq!(post("/v1/namespaces/n/other"), Some(200), "only commits are hit");
    assert_eq!(post("/v1/namespaces/n/tables/t"), None);
    assert_eq!(post("/v1/namespaces/n/tables/t"), Some(500));
    assert_eq!(post("/v1/namespaces/n/tables/t"), None);
    assert_eq!(post("/v1/namespaces/n/tables/t"), Some(200));
    assert_eq!((arrived.load(Ordering::SeqCst), proxy.landed()), (5, 4), "all but the lost request arrived");
    assert_eq!(proxy.done(), [(Fault::LoseAnswer, Some(200)), (Fault::AnswerServerError, Some(200)), (Fault::LoseRequest, None)]);
}
