//! The REST catalog, over HTTP.
//!
//! What the server says in `/v1/config` (prefix, namespace separator, storage properties) is asked for once, before the
//! first use. A commit is one POST with its requirements; every answer but 409, 404 and another 4xx leaves open whether it
//! landed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use iceberg::spec::{Schema, TableMetadata};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::catalog::table::{Change, LoadedTable, Swap, new_table_properties};
use crate::sinks::iceberg::fault::{Secrets, unavailable};
use crate::sinks::iceberg::options::IcebergOptions;
use crate::sinks::iceberg::storage;
use crate::types::{Report, SqlState};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Before a namespace is looked for again.
const RACE_PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800)];

/// Separates the levels of a namespace in a URL, unless the server names another.
const UNIT_SEPARATOR: &str = "\u{1f}";

pub struct RestCatalog {
    client: Client,
    uri: Url,
    warehouse: Option<String>,
    token: Option<String>,
    namespace: Vec<String>,
    table: String,
    storage: BTreeMap<String, String>,
    secrets: Secrets,
    config: OnceCell<ServerConfig>,
}

struct ServerConfig {
    prefix: Vec<String>,
    separator: String,
    properties: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ConfigAnswer {
    #[serde(default)]
    defaults: HashMap<String, Option<String>>,
    #[serde(default)]
    overrides: HashMap<String, Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TableAnswer {
    metadata_location: Option<String>,
    metadata: TableMetadata,
    #[serde(default)]
    config: HashMap<String, String>,
}

impl RestCatalog {
    pub fn new(options: &IcebergOptions, uri: &Url, warehouse: Option<String>, token: Option<String>) -> Result<RestCatalog, SinkError> {
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(REQUEST_TIMEOUT).build().map_err(Report::internal)?;
        Ok(RestCatalog {
            client,
            uri: uri.clone(),
            warehouse,
            token,
            namespace: options.namespace.clone(),
            table: options.table.clone(),
            storage: options.storage.clone(),
            secrets: options.secrets.clone(),
            config: OnceCell::new(),
        })
    }

    pub async fn load_table(&self) -> Result<Option<LoadedTable>, SinkError> {
        let url = self.table_url().await?;
        let answer = self.send(self.request(Method::GET, url)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let table: TableAnswer = answer.json().await.map_err(|e| self.silent(e))?;
                self.loaded(table).await.map(Some)
            }
            _ => Err(self.unexpected("load the table", answer).await),
        }
    }

    pub async fn create_table(&self, schema: Schema) -> Result<(), SinkError> {
        self.create_namespace().await?;
        let config = self.config().await?;
        let url = self.url(config, &["namespaces", &self.namespace.join(&config.separator), "tables"])?;
        let body = json!({ "name": self.table, "schema": schema, "properties": new_table_properties() });
        let answer = self.send(self.request(Method::POST, url).json(&body)).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::CONFLICT => Ok(()),
            status if status.is_server_error() && self.load_table().await?.is_some() => Ok(()),
            _ => Err(self.unexpected("create the table", answer).await),
        }
    }

    /// Servers are known to answer 500 to the slower of two that create one namespace: it is looked for once more then.
    async fn create_namespace(&self) -> Result<(), SinkError> {
        let config = self.config().await?;
        let of_all = self.url(config, &["namespaces"])?;
        let body = json!({ "namespace": self.namespace, "properties": {} });
        let mut pauses = RACE_PAUSES.iter();
        loop {
            let url = self.url(config, &["namespaces", &self.namespace.join(&config.separator)])?;
            if self.send(self.request(Method::GET, url)).await?.status().is_success() {
                return Ok(());
            }
            let answer = self.send(self.request(Method::POST, of_all.clone()).json(&body)).await?;
            let status = answer.status();
            if status.is_success() || status == StatusCode::CONFLICT {
                return Ok(());
            }
            match pauses.next().filter(|_| status.is_server_error()) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(self.unexpected("create the namespace", answer).await),
            }
        }
    }

    pub async fn swap(&self, change: Change) -> Swap {
        let url = match self.table_url().await {
            Ok(url) => url,
            Err(error) => return Swap::Unknown(error.report().to_string()),
        };
        let body = json!({
            "identifier": { "namespace": self.namespace, "name": self.table },
            "requirements": change.requirements,
            "updates": change.updates,
        });
        let answer = match self.request(Method::POST, url).json(&body).send().await {
            Ok(answer) => answer,
            Err(error) => return Swap::Unknown(self.describe(error)),
        };
        let status = answer.status();
        if status.is_success() {
            // The status line is the answer; the body only repeats the table.
            return Swap::Landed;
        }
        let reason = self.reason(answer).await;
        match status {
            StatusCode::CONFLICT => Swap::Conflict(reason),
            StatusCode::NOT_FOUND => Swap::Gone(reason),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Swap::Denied(reason),
            // These two say nothing of the request itself.
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Swap::Unknown(reason),
            status if status.is_client_error() => Swap::Refused(reason),
            _ => Swap::Unknown(reason),
        }
    }

    async fn loaded(&self, table: TableAnswer) -> Result<LoadedTable, SinkError> {
        // The user's own options win over what the server recommends.
        let mut properties = self.config().await?.properties.clone();
        properties.extend(table.config);
        properties.extend(self.storage.clone());
        let secrets = ["s3.secret-access-key", "s3.session-token"].iter().filter_map(|key| properties.get(*key).cloned());
        let secrets = self.secrets.also(secrets);
        let file_io = storage::file_io(table.metadata.location(), &properties);
        let metadata_location = table.metadata_location.unwrap_or_default();
        Ok(LoadedTable { metadata: table.metadata, metadata_location, file_io, secrets })
    }

    async fn config(&self) -> Result<&ServerConfig, SinkError> {
        self.config.get_or_try_init(|| self.fetch_config()).await
    }

    async fn fetch_config(&self) -> Result<ServerConfig, SinkError> {
        let mut url = extended(&self.uri, ["v1", "config"])?;
        if let Some(warehouse) = &self.warehouse {
            url.query_pairs_mut().append_pair("warehouse", warehouse);
        }
        let answer = self.send(self.request(Method::GET, url)).await?;
        if !answer.status().is_success() {
            return Err(self.unexpected("read the catalog's configuration", answer).await);
        }
        let answer: ConfigAnswer = answer.json().await.map_err(|e| self.silent(e))?;
        let mut properties = BTreeMap::new();
        for (key, value) in answer.defaults.into_iter().chain(answer.overrides) {
            if let Some(value) = value {
                properties.insert(key, value);
            }
        }
        let prefix = properties.get("prefix").map(String::as_str).unwrap_or_default();
        let separator = properties.get("namespace-separator").map_or(UNIT_SEPARATOR.to_string(), |text| percent_decoded(text));
        Ok(ServerConfig { prefix: prefix.split('/').filter(|part| !part.is_empty()).map(String::from).collect(), separator, properties })
    }

    async fn table_url(&self) -> Result<Url, SinkError> {
        let config = self.config().await?;
        self.url(config, &["namespaces", &self.namespace.join(&config.separator), "tables", &self.table])
    }

    fn url(&self, config: &ServerConfig, path: &[&str]) -> Result<Url, SinkError> {
        extended(&self.uri, ["v1"].into_iter().chain(config.prefix.iter().map(String::as_str)).chain(path.iter().copied()))
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, SinkError> {
        request.send().await.map_err(|error| self.silent(error))
    }

    fn silent(&self, error: reqwest::Error) -> SinkError {
        unavailable(format!("the Iceberg catalog at {} does not answer", self.uri), self.describe(error))
    }

    /// The error and what is behind it: reqwest's own text leaves out the reason.
    fn describe(&self, error: reqwest::Error) -> String {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        self.secrets.scrub(text)
    }

    async fn unexpected(&self, what: &str, answer: Response) -> SinkError {
        let status = answer.status();
        let reason = self.reason(answer).await;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return unavailable(format!("the Iceberg catalog at {} did not let floe {what}", self.uri), reason);
        }
        if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT && status != StatusCode::TOO_MANY_REQUESTS {
            return Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("the Iceberg catalog at {} refused to {what}", self.uri))
                .detail(reason)
                .hint("Check catalog.uri, warehouse.path, database.name and table.name.")
                .into();
        }
        unavailable(format!("the Iceberg catalog at {} could not {what}", self.uri), reason)
    }

    /// The status and the server's own words, cut short.
    async fn reason(&self, answer: Response) -> String {
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|body| body.pointer("/error/message").and_then(Value::as_str).map(String::from))
            .unwrap_or(text);
        let short: String = message.chars().take(500).collect();
        self.secrets.scrub(format!("{status}: {short}"))
    }
}

fn extended<'a>(base: &Url, path: impl IntoIterator<Item = &'a str>) -> Result<Url, SinkError> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => {
            segments.pop_if_empty().extend(path);
        }
        Err(()) => return Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, "option \"catalog.uri\" is no web address").into()),
    }
    Ok(url)
}

/// `%2E` as `.`; what is not an escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut at) = (Vec::new(), 0);
    let raw = text.as_bytes();
    while let Some(byte) = raw.get(at) {
        let escaped = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_segments_are_escaped_once() {
        assert_eq!(percent_decoded("%2E"), ".");
        assert_eq!(percent_decoded("%1F"), UNIT_SEPARATOR);
        assert_eq!(percent_decoded("a%b%"), "a%b%");
        let base = Url::parse("http://h:1/catalog/").unwrap();
        let url = extended(&base, ["v1", "namespaces", "a\u{1f}b", "tables", "x/y ä"]).unwrap();
        assert_eq!(url.as_str(), "http://h:1/catalog/v1/namespaces/a%1Fb/tables/x%2Fy%20%C3%A4");
    }
}
