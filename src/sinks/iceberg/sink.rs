//! The Iceberg sink itself: creates, prepares, commits.

use async_trait::async_trait;
use iceberg::spec::FormatVersion;

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::catalog::{CatalogClient, LoadedTable};
use crate::sinks::iceberg::commit::Target;
use crate::sinks::iceberg::fault::{inconsistent, not_writable, unavailable};
use crate::sinks::iceberg::index::Memory;
use crate::sinks::iceberg::marker;
use crate::sinks::iceberg::options::IcebergOptions;
use crate::sinks::iceberg::payload::{Files, Payload};
use crate::sinks::iceberg::schema::{Projection, check_same, table_schema};
use crate::sinks::iceberg::snapshot;
use crate::sinks::iceberg::storage;
use crate::sinks::iceberg::upsert::Key;
use crate::sinks::iceberg::write::{TARGET_BYTES, Writer};
use crate::sinks::sink::{KeyIndex, Prepared, Sink, Staged};
use crate::sinks::spec::{SinkMode, SinkSpec};
use crate::types::{Epoch, RelationSchema, Report, SqlState};
use crate::zset::ZSet;

pub struct IcebergSink {
    sink_id: String,
    relation: RelationSchema,
    options: IcebergOptions,
    table_name: String,
    key: Key,
    catalog: CatalogClient,
}

/// The index of a commit: what the caller keeps once it has landed.
type IndexChanges = Vec<(Vec<u8>, Option<Vec<u8>>)>;

impl IcebergSink {
    /// A sink that exists. Connects when it is first used.
    pub fn open(spec: &SinkSpec) -> Result<IcebergSink, SinkError> {
        let options = IcebergOptions::of(spec)?;
        Ok(IcebergSink {
            sink_id: spec.sink_id.clone(),
            relation: spec.schema.clone(),
            table_name: options.table_name(),
            key: Key::new(&spec.schema, &options.key)?,
            catalog: CatalogClient::new(&options)?,
            options,
        })
    }

    /// A new sink: creates the table if asked, checks that the relation fits it and that it can be written.
    pub async fn create(spec: &SinkSpec) -> Result<IcebergSink, SinkError> {
        let sink = IcebergSink::open(spec)?;
        let schema = table_schema(&sink.relation, &sink.options.key)?;
        let table = match sink.catalog.load_table().await? {
            Some(table) => table,
            None if sink.options.create_table => {
                sink.catalog.create_table(schema).await?;
                sink.target().load().await?
            }
            None => {
                return Err(Report::error(SqlState::UNDEFINED_TABLE, format!("Iceberg table \"{}\" does not exist", sink.table_name))
                    .hint("Create it, or add create_table_if_not_exists = 'true'.")
                    .into());
            }
        };
        check_same(&sink.relation, table.metadata.current_schema(), &sink.table_name)?;
        sink.check_form(&table)?;
        let location = table.metadata.location();
        storage::probe(&table.file_io, location).await.map_err(|e| not_writable(location, table.secrets.scrub(e)))?;
        if sink.options.mode == SinkMode::Upsert {
            let empty = snapshot::is_empty(&table.file_io, &table.metadata).await;
            if !empty.map_err(|e| unavailable("could not read the table's manifests", table.secrets.scrub(e)))? {
                return Err(Report::error(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("Iceberg table \"{}\" has rows already", sink.table_name),
                )
                .detail("An upsert sink has to know where the row of each key is, and starts with an empty table.")
                .hint("Name a new table, or empty this one.")
                .into());
            }
        }
        Ok(sink)
    }

    /// The forms of table that floe writes: format version 2, without partitions.
    fn check_form(&self, table: &LoadedTable) -> Result<(), SinkError> {
        let version = table.metadata.format_version();
        if version != FormatVersion::V2 {
            return Err(Report::unsupported(format!("Iceberg table \"{}\" has format version {}", self.table_name, version as u8))
                .hint("floe writes tables of format version 2.")
                .into());
        }
        if !table.metadata.default_partition_spec().is_unpartitioned() {
            return Err(Report::unsupported(format!("Iceberg table \"{}\" is partitioned", self.table_name))
                .hint("floe writes tables without partitions.")
                .into());
        }
        Ok(())
    }

    fn target(&self) -> Target<'_> {
        Target { catalog: &self.catalog, table_name: &self.table_name, sink_id: &self.sink_id }
    }

    /// The table and the sink's newest epoch in it, which are what the index remembers.
    async fn as_left(&self, index: &dyn KeyIndex) -> Result<(LoadedTable, Option<u64>), SinkError> {
        let memory = Memory::load(index)?;
        let table = self.target().load().await?;
        if memory.as_ref().is_some_and(|memory| memory.table != table.metadata.uuid()) {
            return Err(self.target().replaced());
        }
        let newest = marker::newest(&table.metadata, &self.sink_id, &self.table_name)?;
        self.target().check_marker(newest, memory.map(|memory| memory.epoch))?;
        Ok((table, newest))
    }

    /// Writes the files of a change that is not empty.
    async fn write(&self, table: &LoadedTable, delta: &ZSet, index: &dyn KeyIndex) -> Result<(Files, IndexChanges), SinkError> {
        let projection = Projection::new(&self.relation, table.metadata.current_schema(), &self.table_name)?;
        let writer = Writer { file_io: &table.file_io, metadata: &table.metadata, secrets: &table.secrets, target_bytes: TARGET_BYTES };
        if self.options.mode == SinkMode::AppendOnly {
            if delta.weights().values().iter().any(|weight| *weight < 0) {
                return Err(inconsistent("An append-only sink was given rows to take back."));
            }
            let mut positions = Vec::with_capacity(delta.len());
            for (row, weight) in delta.weights().values().iter().enumerate() {
                positions.extend(std::iter::repeat_n(row as u32, *weight as usize));
            }
            let written = writer.rows(delta.rows(), &positions, &projection).await?;
            return Ok((Files { data: written.files, ..Files::default() }, Vec::new()));
        }
        let plan = self.key.plan(delta, index)?;
        let deletes = writer.deletes(&plan.gone).await?;
        let positions: Vec<u32> = plan.come.iter().map(|(row, _)| *row).collect();
        let written = writer.rows(delta.rows(), &positions, &projection).await?;
        let mut changes: IndexChanges = plan.left.into_iter().map(|key| (key, None)).collect();
        changes.extend(plan.come.into_iter().zip(written.places()).map(|((_, key), place)| (key, Some(place.encode()))));
        let mut referenced: Vec<String> = plan.gone.into_iter().map(|place| place.file).collect();
        referenced.dedup();
        Ok((Files { data: written.files, deletes: deletes.into_iter().collect(), referenced }, changes))
    }
}

#[async_trait]
impl Sink for IcebergSink {
    async fn check(&mut self, index: &dyn KeyIndex) -> Result<(), SinkError> {
        self.as_left(index).await.map(drop)
    }

    async fn prepare(&mut self, staged: &Staged, index: &dyn KeyIndex) -> Result<Prepared, SinkError> {
        let delta = &staged.delta.0;
        if delta.weights().values().iter().all(|weight| *weight == 0) {
            return Ok(Prepared { epoch: staged.epoch, payload: Vec::new(), index: Vec::new() });
        }
        let (table, previous) = self.as_left(index).await?;
        self.check_form(&table)?;
        let uuid = table.metadata.uuid();
        let (files, mut changes) = self.write(&table, delta, index).await?;
        changes.push(Memory { table: uuid, epoch: staged.epoch.0 }.entry()?);
        let payload = Payload::encode(uuid, staged.epoch.0, previous, table.metadata.current_schema_id(), files)?;
        Ok(Prepared { epoch: staged.epoch, payload, index: changes })
    }

    async fn commit(&mut self, prepared: &Prepared) -> Result<(), SinkError> {
        if prepared.payload.is_empty() {
            return Ok(());
        }
        self.target().land(&Payload::decode(&prepared.payload)?).await
    }

    async fn committed(&mut self) -> Result<Option<Epoch>, SinkError> {
        let table = self.target().load().await?;
        Ok(marker::newest(&table.metadata, &self.sink_id, &self.table_name)?.map(Epoch))
    }
}
