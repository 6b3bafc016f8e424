//! The whole database in this process, on a state directory that outlives it: SQL in, rows as text out.

mod explain_analyze;
mod filling;
mod keep_together;
mod keyed;
mod large_changes;
mod projections;
mod queries;
mod sink_queries;
mod windows;
mod workers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use tokio::runtime::Handle;

use super::api::{Login, Response};
use super::session::Remembered;
use super::{Coordinator, CoordinatorConfig, Database, OpenDatabase};
use crate::types::{Report, SqlState};

struct Floe {
    coordinator: Arc<Coordinator>,
}

impl Floe {
    async fn open(data: &Path) -> Floe {
        Floe::open_with(CoordinatorConfig::default(), data).await
    }

    async fn open_with(config: CoordinatorConfig, data: &Path) -> Floe {
        let config = CoordinatorConfig { data: data.to_path_buf(), ..config };
        let handle = Handle::current();
        for _ in 0..250 {
            let (config, handle) = (config.clone(), handle.clone());
            match tokio::task::spawn_blocking(move || Coordinator::open(config, handle)).await.unwrap() {
                Ok(coordinator) => return Floe { coordinator },
                // Tasks of the one before may hold the store for a moment longer.
                Err(report) if report.sqlstate == SqlState::OBJECT_IN_USE => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(report) => panic!("{report}"),
            }
        }
        panic!("the state directory stays in use");
    }

    /// Stops it, so that the directory can be opened again.
    async fn close(self) {
        self.coordinator.shutdown().await;
    }

    /// Each statement by itself; the rows of the last, `a|b` each, sorted.
    async fn try_sql(&self, text: &str) -> Result<Vec<String>, Report> {
        let mut lines = self.in_order(text).await?;
        lines.sort();
        Ok(lines)
    }

    /// The rows of the last statement in the order in which they came.
    async fn in_order(&self, text: &str) -> Result<Vec<String>, Report> {
        let login = Login { user: "floe".to_string(), database: "floe".to_string(), ..Login::default() };
        let mut session = OpenDatabase(self.coordinator.clone()).session(login)?;
        let mut lines = Vec::new();
        for statement in session.parse(text)? {
            session.begin_implicit();
            lines = match session.execute(&statement, Vec::new(), &Remembered::default()).await? {
                Response::Rows { rows, .. } => {
                    let options = FormatOptions::default().with_null("NULL");
                    let mut lines = Vec::new();
                    for batch in rows.try_collect::<Vec<_>>().await? {
                        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
                        let line = |row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|");
                        lines.extend((0..batch.num_rows()).map(line));
                    }
                    lines
                }
                _ => Vec::new(),
            };
            session.commit_implicit().await?;
        }
        Ok(lines)
    }

    async fn sql(&self, text: &str) -> Vec<String> {
        self.try_sql(text).await.unwrap_or_else(|report| panic!("{text}: {report}"))
    }

    async fn refused(&self, text: &str) -> String {
        match self.try_sql(text).await {
            Ok(lines) => panic!("{text} gave {lines:?}"),
            Err(report) => report.to_string(),
        }
    }
}
