//! What CREATE SINK refuses, and a catalog that is down at a restart.

use super::lake::{Lake, spec, zset};
use crate::sinks::{SinkError, SinkSpec, create, open};
use crate::types::{Column, SqlType};

async fn refused(spec: &SinkSpec) -> (String, String) {
    match create(spec).await {
        Ok(_) => panic!("it was taken"),
        Err(error) => {
            let report = error.report();
            assert!(report.hint.is_some(), "{report}");
            (report.sqlstate.0.to_string(), report.message)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_at_create_sink() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    let with = |key: &str, value: &str| {
        let mut spec = spec(folder.path(), "append-only");
        spec.options.insert(key.into(), value.into());
        spec
    };
    let missing = format!("the catalog file \"{here}/catalog.db\" does not exist");
    assert_eq!(refused(&with("create_table_if_not_exists", "false")).await, ("42704".into(), missing));
    std::fs::write(folder.path().join("file"), "no folder").unwrap();
    let (state, message) = refused(&with("warehouse.path", &format!("{here}/file"))).await;
    assert_eq!((state.as_str(), message), ("58030", format!("cannot write to the warehouse at \"file://{here}/file\"")));
    assert_eq!(
        refused(&with("create_table_if_not_exists", "false")).await,
        ("42P01".into(), "Iceberg table \"shop.t\" does not exist".into())
    );
    Lake::create(spec(folder.path(), "append-only")).await.step("1 a +1").await.unwrap();
    let mut other = spec(folder.path(), "append-only");
    other.schema.columns[1] = Column::new("v", SqlType::Integer);
    assert_eq!(refused(&other).await, ("42804".into(), "table \"shop.t\" has another schema than the sink".into()));
    assert_eq!(refused(&spec(folder.path(), "upsert")).await, ("55000".into(), "Iceberg table \"shop.t\" has rows already".into()));
    let (state, _) = refused(&with("commit_interval", "soon")).await;
    assert_eq!(state, "22023");
    let mut unknown = spec(folder.path(), "append-only");
    unknown.connector = "delta".into();
    assert_eq!(refused(&unknown).await, ("22023".into(), "unrecognized connector \"delta\" for a sink".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_down_is_unavailable_and_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = Lake::create(spec(folder.path(), "append-only")).await;
    let prepared = lake.prepare(zset("1 a +1")).await.unwrap();
    let catalog = folder.path().join("catalog.db");
    let away = folder.path().join("away.db");
    lake.sink = open(&lake.spec).await.unwrap_or_else(|e| panic!("{}", e.report()));
    std::fs::rename(&catalog, &away).unwrap();
    std::fs::create_dir(&catalog).unwrap();
    let error = lake.commit(&prepared).await.unwrap_err();
    assert!(error.is_transient(), "{}", error.report());
    assert!(lake.prepare(zset("2 b +1")).await.unwrap_err().is_transient());
    std::fs::remove_dir(&catalog).unwrap();
    std::fs::rename(&away, &catalog).unwrap();
    lake.commit(&prepared).await.unwrap();
    assert_eq!(lake.rows().await, "1 a\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_catalog_that_is_down_names_itself_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(folder.path(), "append-only");
    for (key, value) in [("catalog.type", "rest"), ("catalog.uri", "http://127.0.0.1:9"), ("s3.secret.key", "hush")] {
        spec.options.insert(key.into(), value.into());
    }
    let error = create(&spec).await.err().expect("nobody listens");
    assert!(matches!(error, SinkError::Unavailable { .. }));
    assert_eq!(error.report().message, "the Iceberg catalog at http://127.0.0.1:9/ does not answer");
    assert!(!error.report().to_string().contains("hush"));
    assert!(open(&spec).await.is_ok());
}
