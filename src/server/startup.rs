//! The first words of a connection: encryption refused, cancel requests, the start-up message, the login.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::auth::{Credentials, authenticate};
use super::backend;
use super::cancel::{CancelKeys, Registered};
use super::error::Stop;
use super::frontend::Body;
use super::wire::Wire;
use crate::coordinator::api::{Login, TransactionStatus};
use crate::coordinator::database::Database;
use crate::coordinator::session::Session;
use crate::types::{Report, SqlState};

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// What all connections share.
pub struct Shared {
    pub database: Arc<dyn Database>,
    pub credentials: Option<Credentials>,
    /// The one name under which clients may ask for the database.
    pub name: String,
    pub keys: Arc<CancelKeys>,
    pub max_connections: usize,
}

/// A client that has logged in.
pub struct Client {
    pub session: Session,
    pub registered: Registered,
}

/// `None` when the connection was for a cancel request and is done.
pub async fn start(wire: &mut Wire, shared: &Shared) -> Result<Option<Client>, Stop> {
    let (minor, parameters) = loop {
        let mut body = wire.read_startup().await?;
        let code = body.try_get_u32().map_err(|_| invalid())?;
        match code {
            SSL | GSS => {
                if !wire.nothing_read_ahead() {
                    return Err(invalid());
                }
                wire.outbound.extend_from_slice(b"N");
                wire.flush().await?;
            }
            CANCEL => {
                let process_id = body.try_get_i32().map_err(|_| invalid())?;
                let secret = body.try_get_i32().map_err(|_| invalid())?;
                shared.keys.cancel(process_id, secret);
                return Ok(None);
            }
            version if version >> 16 == 3 => break (version & 0xffff, parameters(body)?),
            version => {
                return Err(Stop::Fatal(Report::error(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("unsupported frontend protocol {}.{}: server supports 3.0 to 3.0", version >> 16, version & 0xffff),
                )));
            }
        }
    };
    login(wire, shared, minor, parameters).await.map(Some)
}

async fn login(wire: &mut Wire, shared: &Shared, minor: u32, mut parameters: BTreeMap<String, String>) -> Result<Client, Stop> {
    let unknown_options: Vec<String> = parameters.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
    parameters.retain(|name, _| !name.starts_with("_pq_."));
    if minor > 0 || !unknown_options.is_empty() {
        backend::negotiate_version(&mut wire.outbound, &unknown_options);
    }
    let user = parameters.remove("user").filter(|u| !u.is_empty()).ok_or_else(|| {
        Stop::Fatal(Report::error(SqlState::INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"))
    })?;
    let database = parameters.remove("database").filter(|d| !d.is_empty()).unwrap_or_else(|| user.clone());
    if shared.keys.len() >= shared.max_connections {
        return Err(Stop::Fatal(Report::error(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")));
    }

    authenticate(wire, &user, shared.credentials.as_ref()).await?;
    wire.trust();
    if shared.name != database {
        let report = Report::error(SqlState::INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist"));
        return Err(Stop::Fatal(report.hint(format!("connect to the database \"{}\"", shared.name))));
    }
    let registered = shared.keys.register();
    let login = Login { user, database, parameters, process_id: registered.process_id };
    let session = shared.database.session(login).map_err(Stop::Fatal)?;
    registered.serve(session.interrupt());
    for (name, value) in session.parameters() {
        backend::parameter_status(&mut wire.outbound, &name, &value);
    }
    backend::backend_key(&mut wire.outbound, registered.process_id, registered.secret);
    backend::ready(&mut wire.outbound, TransactionStatus::Idle);
    wire.flush().await?;
    Ok(Client { session, registered })
}

/// Names and values up to an empty name.
fn parameters(bytes: Bytes) -> Result<BTreeMap<String, String>, Stop> {
    let mut body = Body(bytes);
    let mut parameters = BTreeMap::new();
    loop {
        let name = body.text().map_err(Stop::Fatal)?;
        if name.is_empty() {
            return Ok(parameters);
        }
        parameters.insert(name, body.text().map_err(Stop::Fatal)?);
    }
}

fn invalid() -> Stop {
    Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "invalid startup packet"))
}
