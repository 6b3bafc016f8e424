//! CREATE and DROP, as far as they can be done outside the epoch driver: names looked up, options checked, sources and
//! targets connected to, views planned. What is left for the driver is to make it so in one epoch.

use std::sync::Arc;

use uuid::Uuid;

use crate::catalog::{Catalog, Definition, Entry, Kind, SinkInput};
use crate::planner::{CircuitPlan, PlanContext};
use crate::sinks::{Sink, SinkError};
use crate::sources::Reading;
use crate::sql::Statement;
use crate::sql::statement::{CreateSink, CreateSource, CreateTable, CreateView, Drop, ObjectKind, ObjectName, OnConflict, SinkFrom};
use crate::types::{Column, ObjectId, Offsets, RelationSchema, Report, SqlState};

use super::command::{Command, Install, InstallWhat, NewObject};
use super::recovery::{sink_spec, source_spec};
use super::session::Interrupt;
use super::start::Coordinator;

const SCHEMA: &str = "public";

/// What a definition came to.
pub enum Defined {
    Done,
    /// It was there already (IF NOT EXISTS), or was not there (IF EXISTS).
    Skipped(Report),
}

impl Coordinator {
    /// Carries a definition out: a command tag, and the notices that come with it. What is filled stops when `interrupt` says so.
    pub async fn define(
        &self,
        statement: &Statement,
        context: &PlanContext,
        interrupt: Interrupt,
    ) -> Result<(String, Vec<Report>), Report> {
        let (tag, defined) = match statement {
            Statement::CreateSource(create) => ("CREATE SOURCE", self.create_source(create, interrupt).await?),
            Statement::CreateTable(create) => ("CREATE TABLE", self.create_table(create, interrupt).await?),
            Statement::CreateView(create) if create.materialized => {
                ("CREATE MATERIALIZED VIEW", self.create_materialized_view(create, context, interrupt).await?)
            }
            Statement::CreateView(create) => ("CREATE VIEW", self.create_view(create, context, interrupt).await?),
            Statement::CreateSink(create) => ("CREATE SINK", self.create_sink(create, context, interrupt).await?),
            Statement::Drop(drop) => return self.drop(drop).await,
            _ => return Err(Report::internal("not a definition")),
        };
        match defined {
            Defined::Done => Ok((tag.to_string(), Vec::new())),
            Defined::Skipped(notice) => Ok((tag.to_string(), vec![notice])),
        }
    }

    async fn install(&self, object: NewObject, what: InstallWhat, interrupt: Interrupt) -> Result<Defined, Report> {
        self.ask(|reply| Command::Install { install: Box::new(Install { object, what, interrupt }), reply }).await?;
        Ok(Defined::Done)
    }

    async fn create_source(&self, create: &CreateSource, interrupt: Interrupt) -> Result<Defined, Report> {
        let catalog = self.published().catalog.clone();
        if let Some(skipped) = taken(&catalog, &create.name, create.if_not_exists)? {
            return Ok(skipped);
        }
        let mut schema = relation_schema(create.columns.clone(), &create.primary_key)?;
        let plain = create.format != "DEBEZIUM";
        schema.append_only = plain && schema.primary_key.is_empty();
        if let Some(watermark) = &create.watermark
            && schema.position(&watermark.column).is_none()
        {
            return Err(no_column(&watermark.column));
        }
        let mut options = create.options.clone();
        let connector = options.remove("connector").ok_or_else(|| {
            Report::error(SqlState::INVALID_PARAMETER_VALUE, "a source needs the option \"connector\"")
                .hint("WITH (connector = 'kafka', ...): kafka, file and datagen are there")
        })?;
        let mut definition = Definition::Source {
            connector,
            options,
            format: create.format.clone(),
            encode: create.encode.clone(),
            watermark: create.watermark.as_ref().map(|w| (w.column.clone(), w.delay_micros)),
            dead_letter: ObjectId(0),
            start: Offsets::default(),
        };
        let entry = draft(&create.name, definition.clone(), schema.clone());
        let Definition::Source { connector, options, format, encode, start, .. } = &mut definition else {
            return Err(Report::internal("a source's definition"));
        };
        let spec = source_spec(&entry, connector, options, format, encode)?;
        let probe = spec.clone();
        *start = blocking(move || {
            let mut source = crate::sources::open(&probe, &Reading::everything(&probe)).map_err(|e| e.report())?;
            source.start().map_err(|e| e.report())
        })
        .await?;
        let object = NewObject {
            schema_name: SCHEMA.to_string(),
            name: create.name.name.clone(),
            sql: create.text.clone(),
            schema,
            depends_on: Vec::new(),
            definition,
            replaces: None,
        };
        self.install(object, InstallWhat::Source { spec }, interrupt).await
    }

    async fn create_table(&self, create: &CreateTable, interrupt: Interrupt) -> Result<Defined, Report> {
        let catalog = self.published().catalog.clone();
        if let Some(skipped) = taken(&catalog, &create.name, create.if_not_exists)? {
            return Ok(skipped);
        }
        let schema = relation_schema(create.columns.clone(), &create.primary_key)?;
        let defaults = create.defaults.iter().map(|d| d.as_ref().map(|e| e.to_string())).collect();
        let overwrite = create.on_conflict == OnConflict::Overwrite;
        let object = NewObject {
            schema_name: SCHEMA.to_string(),
            name: create.name.name.clone(),
            sql: create.text.clone(),
            schema,
            depends_on: Vec::new(),
            definition: Definition::Table { defaults, overwrite },
            replaces: None,
        };
        self.install(object, InstallWhat::Table, interrupt).await
    }

    async fn create_view(&self, create: &CreateView, context: &PlanContext, interrupt: Interrupt) -> Result<Defined, Report> {
        let catalog = self.published().catalog.clone();
        let mut replaces = None;
        match catalog.resolve(create.name.schema.as_deref(), &create.name.name) {
            Ok(old) if create.or_replace && old.kind() == Kind::View => {
                if !catalog.dependents(old.id).is_empty() {
                    return Err(depended_on(&catalog, old));
                }
                replaces = Some(old.id);
            }
            _ => {
                if let Some(skipped) = taken(&catalog, &create.name, create.if_not_exists)? {
                    return Ok(skipped);
                }
            }
        }
        let bound = crate::planner::plan_query(&create.query, context, &[]).map_err(|e| e.report())?;
        let columns = renamed(bound.columns.clone(), &create.columns)?;
        let object = NewObject {
            schema_name: SCHEMA.to_string(),
            name: create.name.name.clone(),
            sql: create.text.clone(),
            schema: relation_schema(columns, &[])?,
            depends_on: bound.relations.clone(),
            definition: Definition::View { query: create.query_text.clone() },
            replaces,
        };
        self.install(object, InstallWhat::View, interrupt).await
    }

    async fn create_materialized_view(&self, create: &CreateView, context: &PlanContext, interrupt: Interrupt) -> Result<Defined, Report> {
        let catalog = self.published().catalog.clone();
        if create.or_replace {
            return Err(
                Report::unsupported("CREATE OR REPLACE MATERIALIZED VIEW is not supported").hint("drop the view and create it again")
            );
        }
        if let Some(skipped) = taken(&catalog, &create.name, create.if_not_exists)? {
            return Ok(skipped);
        }
        let Maintained { relations, plan, fingerprint, mut schema } = maintained(&create.query, context)?;
        schema.columns = renamed(schema.columns, &create.columns)?;
        unique(&schema.columns)?;
        let object = NewObject {
            schema_name: SCHEMA.to_string(),
            name: create.name.name.clone(),
            sql: create.text.clone(),
            depends_on: relations,
            definition: Definition::MaterializedView { query: create.query_text.clone(), fingerprint },
            schema,
            replaces: None,
        };
        self.install(object, InstallWhat::MaterializedView { plan }, interrupt).await
    }

    async fn create_sink(&self, create: &CreateSink, context: &PlanContext, interrupt: Interrupt) -> Result<Defined, Report> {
        let catalog = self.published().catalog.clone();
        if let Some(skipped) = taken(&catalog, &create.name, create.if_not_exists)? {
            return Ok(skipped);
        }
        let (input, depends_on, schema, plan) = match &create.from {
            SinkFrom::Relation(from) => {
                let input = followed(&catalog, from)?;
                (SinkInput::Relation(input.id), vec![input.id], input.schema.clone(), None)
            }
            SinkFrom::Query { query, text } => {
                let Maintained { relations, plan, fingerprint, schema } = maintained(query, context)?;
                unique(&schema.columns)?;
                (SinkInput::Query { query: text.clone(), fingerprint }, relations, schema, Some(plan))
            }
        };
        let mut options = create.options.clone();
        let connector = options.remove("connector").ok_or_else(|| {
            Report::error(SqlState::INVALID_PARAMETER_VALUE, "a sink needs the option \"connector\"")
                .hint("WITH (connector = 'iceberg', ...)")
        })?;
        let sink_id = Uuid::now_v7().to_string();
        let spec = sink_spec(&create.name.name, &connector, &options, &sink_id, schema.clone());
        let interval = spec.commit_interval()?;
        let sink: Box<dyn Sink> = crate::sinks::create(&spec).await.map_err(|e: SinkError| e.report())?;
        let object = NewObject {
            schema_name: SCHEMA.to_string(),
            name: create.name.name.clone(),
            sql: create.text.clone(),
            schema,
            depends_on,
            definition: Definition::Sink { connector, options, sink_id, input },
            replaces: None,
        };
        self.install(object, InstallWhat::Sink { sink, interval, plan }, interrupt).await
    }

    async fn drop(&self, drop: &Drop) -> Result<(String, Vec<Report>), Report> {
        let catalog = self.published().catalog.clone();
        let (kind, tag) = match drop.kind {
            ObjectKind::Source => (Kind::Source, "DROP SOURCE"),
            ObjectKind::Table => (Kind::Table, "DROP TABLE"),
            ObjectKind::View => (Kind::View, "DROP VIEW"),
            ObjectKind::MaterializedView => (Kind::MaterializedView, "DROP MATERIALIZED VIEW"),
            ObjectKind::Sink => (Kind::Sink, "DROP SINK"),
        };
        let (mut named, mut notices) = (Vec::new(), Vec::new());
        for name in &drop.names {
            match catalog.resolve(name.schema.as_deref(), &name.name) {
                Ok(entry) if matches!(entry.definition, Definition::DeadLetter { .. }) => {
                    return Err(Report::error(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" belongs to its source", entry.name))
                        .hint("drop the source"));
                }
                Ok(entry) if entry.kind() == kind => named.push(entry.clone()),
                Ok(entry) => {
                    let noun = entry.kind().noun();
                    return Err(Report::error(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a {}", entry.name, kind.noun()))
                        .hint(format!("Use DROP {} to remove a {noun}.", noun.to_uppercase())));
                }
                Err(_) if drop.if_exists => {
                    notices.push(Report::notice(format!("{} \"{}\" does not exist, skipping", kind.noun(), name.name)));
                }
                Err(_) => {
                    return Err(Report::error(SqlState::UNDEFINED_TABLE, format!("{} \"{}\" does not exist", kind.noun(), name.name)));
                }
            }
        }
        let mut ids: Vec<ObjectId> = Vec::new();
        for entry in &named {
            for dependent in catalog.dependents(entry.id) {
                let theirs = catalog.get(dependent).is_some_and(|e| !matches!(e.definition, Definition::DeadLetter { .. }));
                if theirs && !drop.cascade && !named.iter().any(|e| e.id == dependent) {
                    return Err(depended_on(&catalog, entry));
                }
                ids.push(dependent);
            }
            ids.push(entry.id);
        }
        // Ids grow along dependencies: the highest goes first.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        if drop.cascade {
            for id in ids.iter().filter(|id| !named.iter().any(|e| e.id == **id)) {
                if let Some(entry) = catalog.get(*id) {
                    notices.push(Report::notice(format!("drop cascades to {} {}", entry.kind().noun(), entry.name)));
                }
            }
        }
        if !ids.is_empty() {
            self.ask(|reply| Command::Drop { ids, reply }).await?;
        }
        Ok((tag.to_string(), notices))
    }
}

/// A query as it is kept up to date.
struct Maintained {
    relations: Vec<ObjectId>,
    plan: CircuitPlan,
    fingerprint: String,
    schema: RelationSchema,
}

fn maintained(query: &sqlparser::ast::Query, context: &PlanContext) -> Result<Maintained, Report> {
    let bound = crate::planner::plan_query(query, context, &[]).map_err(|e| e.report())?;
    let (plan, schema) = crate::planner::lower(&bound, context).map_err(|e| e.report())?;
    Ok(Maintained { relations: bound.relations.clone(), fingerprint: crate::planner::fingerprint(&plan), plan, schema })
}

/// The relation of that name, if it has changes that a sink can follow.
fn followed<'a>(catalog: &'a Catalog, name: &ObjectName) -> Result<&'a Arc<Entry>, Report> {
    let input = catalog.resolve(name.schema.as_deref(), &name.name).map_err(|e| e.report())?;
    if !matches!(input.kind(), Kind::View | Kind::Sink) {
        return Ok(input);
    }
    let report = Report::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{}\" is a {}: a sink cannot follow its changes", input.name, input.kind().noun()),
    );
    Err(match input.kind() {
        Kind::View => report.hint(format!("CREATE SINK ... AS SELECT * FROM {} WITH (...)", input.name)),
        _ => report.hint("create the sink from what that sink reads"),
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Report> + Send + 'static) -> Result<T, Report> {
    tokio::task::spawn_blocking(work).await.map_err(Report::internal)?
}

/// Answers IF NOT EXISTS, or refuses a name that is taken or a schema that is not there.
fn taken(catalog: &Arc<Catalog>, name: &ObjectName, if_not_exists: bool) -> Result<Option<Defined>, Report> {
    if let Some(schema) = name.schema.as_deref()
        && schema != SCHEMA
    {
        return Err(Report::error(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"))
            .hint("objects live in the schema \"public\""));
    }
    if catalog.resolve(name.schema.as_deref(), &name.name).is_err() {
        return Ok(None);
    }
    let message = format!("relation \"{}\" already exists", name.name);
    if if_not_exists {
        return Ok(Some(Defined::Skipped(Report::notice(format!("{message}, skipping")))));
    }
    Err(Report::error(SqlState::DUPLICATE_TABLE, message).hint("choose another name, drop what is there, or use IF NOT EXISTS"))
}

fn draft(name: &ObjectName, definition: Definition, schema: RelationSchema) -> Entry {
    Entry {
        id: ObjectId(0),
        schema_name: SCHEMA.to_string(),
        name: name.name.clone(),
        definition,
        schema,
        sql: String::new(),
        depends_on: Vec::new(),
        created: Default::default(),
    }
}

fn relation_schema(columns: Vec<Column>, primary_key: &[String]) -> Result<RelationSchema, Report> {
    unique(&columns)?;
    let mut schema = RelationSchema::new(columns);
    for name in primary_key {
        let index = schema
            .position(name)
            .ok_or_else(|| Report::error(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" named in key does not exist")))?;
        schema.primary_key.push(index);
    }
    Ok(schema)
}

fn unique(columns: &[Column]) -> Result<(), Report> {
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|c| c.name == column.name) {
            return Err(Report::error(SqlState::DUPLICATE_COLUMN, format!("column \"{}\" specified more than once", column.name))
                .hint("give each column of the result a name of its own with AS"));
        }
    }
    Ok(())
}

fn renamed(mut columns: Vec<Column>, names: &[String]) -> Result<Vec<Column>, Report> {
    if names.len() > columns.len() {
        return Err(Report::error(SqlState::SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns"));
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name.clone();
    }
    Ok(columns)
}

fn no_column(name: &str) -> Report {
    Report::error(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
}

fn depended_on(catalog: &Catalog, entry: &Entry) -> Report {
    let lines: Vec<String> = catalog
        .dependents(entry.id)
        .into_iter()
        .filter_map(|id| catalog.get(id))
        .filter(|e| !matches!(e.definition, Definition::DeadLetter { .. }))
        .map(|e| format!("{} {} depends on {} {}", e.kind().noun(), e.name, entry.kind().noun(), entry.name))
        .collect();
    Report::error(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop {} {} because other objects depend on it", entry.kind().noun(), entry.name),
    )
    .detail(lines.join("\n"))
    .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}
