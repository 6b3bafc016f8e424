//! Writes data files and position delete files, and says where each row went.
//!
//! A file is one Parquet row group, compressed with Zstandard, of at most about [`TARGET_BYTES`]. One row group, because
//! the bounds of a column that has them in some row groups only would be wrong for the file. Names are new in each call,
//! so what an earlier, lost call wrote is never written over.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use iceberg::io::FileIO;
use iceberg::metadata_columns::{delete_file_path_field, delete_file_pos_field};
use iceberg::spec::{DataContentType, DataFile, Schema, SchemaRef, TableMetadata};
use iceberg::writer::CurrentFileStatus;
use iceberg::writer::file_writer::{FileWriter, FileWriterBuilder, ParquetWriter, ParquetWriterBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::fault::{Secrets, unavailable};
use crate::sinks::iceberg::index::Place;
use crate::sinks::iceberg::schema::Projection;
use crate::types::Report;

/// The size at which a data file is closed and the next begun.
pub const TARGET_BYTES: usize = 128 << 20;

/// Rows that are encoded at once.
const CHUNK: usize = 8192;

/// Writes files of one table.
pub struct Writer<'a> {
    pub file_io: &'a FileIO,
    pub metadata: &'a TableMetadata,
    pub secrets: &'a Secrets,
    pub target_bytes: usize,
}

/// The data files of one commit, and the number of rows in each: row `n` of those given is in the file that it falls into
/// when one counts through.
#[derive(Debug, Default)]
pub struct Written {
    pub files: Vec<DataFile>,
}

impl Written {
    /// Where the rows are, in the order in which they were given.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.files
            .iter()
            .flat_map(|file| (0..file.record_count() as i64).map(|position| Place { file: file.file_path().to_string(), position }))
    }
}

impl Writer<'_> {
    /// Writes the rows at those positions, in that order; a position may come more than once.
    pub async fn rows(&self, rows: &RecordBatch, positions: &[u32], projection: &Projection) -> Result<Written, SinkError> {
        let mut written = Written::default();
        let mut open: Option<ParquetWriter> = None;
        for chunk in positions.chunks(CHUNK) {
            let chunk = UInt32Array::from(chunk.to_vec());
            let batch = projection.project(&take_record_batch(rows, &chunk).map_err(Report::internal)?)?;
            let writer = match &mut open {
                Some(writer) => writer,
                None => open.insert(self.begin(&projection.schema, "").await?),
            };
            writer.write(&batch).await.map_err(|e| self.failed(e))?;
            if writer.current_written_size() >= self.target_bytes
                && let Some(full) = open.take()
            {
                written.files.extend(self.finish(full, DataContentType::Data, None).await?);
            }
        }
        if let Some(last) = open {
            written.files.extend(self.finish(last, DataContentType::Data, None).await?);
        }
        Ok(written)
    }

    /// Writes one position delete file for the places, which are in order of file and position.
    pub async fn deletes(&self, places: &[Place]) -> Result<Option<DataFile>, SinkError> {
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(None);
        };
        let schema = position_delete_schema()?;
        let arrow = Arc::new(iceberg::arrow::schema_to_arrow_schema(&schema).map_err(Report::internal)?);
        let mut writer = self.begin(&schema, "-deletes").await?;
        for chunk in places.chunks(CHUNK) {
            let files: StringArray = chunk.iter().map(|place| Some(place.file.as_str())).collect();
            let positions: Int64Array = chunk.iter().map(|place| place.position).collect();
            let columns: Vec<ArrayRef> = vec![Arc::new(files), Arc::new(positions)];
            let batch = RecordBatch::try_new(arrow.clone(), columns).map_err(Report::internal)?;
            writer.write(&batch).await.map_err(|e| self.failed(e))?;
        }
        let only = (first.file == last.file).then(|| first.file.clone());
        self.finish(writer, DataContentType::PositionDeletes, only).await
    }

    async fn begin(&self, schema: &SchemaRef, suffix: &str) -> Result<ParquetWriter, SinkError> {
        let folder = match self.metadata.properties().get("write.data.path") {
            Some(path) => path.trim_end_matches('/').to_string(),
            None => format!("{}/data", self.metadata.location().trim_end_matches('/')),
        };
        let output = self.file_io.new_output(format!("{folder}/{}{suffix}.parquet", Uuid::now_v7())).map_err(|e| self.failed(e))?;
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("floe ", env!("CARGO_PKG_VERSION")).to_string())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(None);
        if !suffix.is_empty() {
            // Readers find the data files that a delete file is for by the bounds of its paths.
            properties = properties.set_statistics_truncate_length(None);
        }
        ParquetWriterBuilder::new(properties.build(), schema.clone()).build(output).await.map_err(|e| self.failed(e))
    }

    async fn finish(
        &self,
        writer: ParquetWriter,
        content: DataContentType,
        referenced: Option<String>,
    ) -> Result<Option<DataFile>, SinkError> {
        let Some(mut builder) = writer.close().await.map_err(|e| self.failed(e))?.into_iter().next() else {
            return Ok(None);
        };
        builder.content(content).referenced_data_file(referenced).partition_spec_id(self.metadata.default_partition_spec_id());
        Ok(Some(builder.build().map_err(Report::internal)?))
    }

    fn failed(&self, error: iceberg::Error) -> SinkError {
        unavailable(format!("could not write to \"{}\"", self.metadata.location()), self.secrets.scrub(error))
    }
}

fn position_delete_schema() -> Result<SchemaRef, Report> {
    let fields = vec![delete_file_path_field().clone(), delete_file_pos_field().clone()];
    Ok(Arc::new(Schema::builder().with_fields(fields).build().map_err(Report::internal)?))
}
