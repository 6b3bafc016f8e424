//! Who a client is: SCRAM-SHA-256 when a password is configured, its word when none is (floe then listens on loopback
//! only).

use std::sync::Arc;

use bytes::{Buf, Bytes};
use pgwire::api::auth::Password;
use pgwire::api::auth::sasl::scram::{ScramServerAuth, gen_salted_password};
use pgwire::messages::startup::Authentication;

use super::backend;
use super::error::Stop;
use super::frontend::{Body, Frontend};
use super::wire::Wire;
use crate::coordinator::entropy;
use crate::types::{Report, SqlState};

const ITERATIONS: usize = 4096;
const MECHANISM: &str = "SCRAM-SHA-256";

/// The user that may connect, and what proves it.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    salt: Vec<u8>,
    salted_password: Arc<Vec<u8>>,
}

impl Credentials {
    pub fn new(user: &str, password: &str) -> Credentials {
        let salt = entropy::secret::<16>().to_vec();
        let salted_password = Arc::new(gen_salted_password(password, &salt, ITERATIONS));
        Credentials { user: user.to_string(), salt, salted_password }
    }

    /// Of an unknown user nobody knows the password; the conversation is the same.
    fn of(&self, user: &str) -> Password {
        let salted = if user == self.user { self.salted_password.to_vec() } else { entropy::secret::<32>().to_vec() };
        Password::new(Some(self.salt.clone()), salted)
    }
}

/// Asks for a proof of the password. `user` is the one of the start-up message; the name inside of SCRAM does not count.
pub async fn authenticate(wire: &mut Wire, user: &str, credentials: Option<&Credentials>) -> Result<(), Stop> {
    if let Some(credentials) = credentials {
        scram(wire, user, credentials).await?;
    }
    backend::authentication(&mut wire.outbound, &Authentication::Ok);
    Ok(())
}

async fn scram(wire: &mut Wire, user: &str, credentials: &Credentials) -> Result<(), Stop> {
    let refused = || Stop::Fatal(Report::error(SqlState::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\"")));
    let malformed = |_| Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "malformed SCRAM message"));

    backend::authentication(&mut wire.outbound, &Authentication::SASL(vec![MECHANISM.to_string()]));
    let first = initial_response(answer(wire).await?)?;
    let (server_first, rest) = ScramServerAuth::new().on_client_first_message(&first, credentials.of(user)).map_err(malformed)?;
    backend::authentication(&mut wire.outbound, &Authentication::SASLContinue(server_first.into()));
    let last = answer(wire).await?;
    let server_final = rest.on_client_final_message(&last).map_err(|_| refused())?;
    backend::authentication(&mut wire.outbound, &Authentication::SASLFinal(server_final.into()));
    Ok(())
}

async fn answer(wire: &mut Wire) -> Result<Bytes, Stop> {
    wire.flush().await?;
    match wire.read().await? {
        Frontend::Password(bytes) => Ok(bytes),
        Frontend::Terminate => Err(Stop::Gone),
        _ => Err(Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "expected SASL response"))),
    }
}

/// The mechanism's name, a length, and the first message of the mechanism.
fn initial_response(bytes: Bytes) -> Result<Bytes, Stop> {
    let mut body = Body(bytes);
    let fatal = |report: Report| Stop::Fatal(report);
    let mechanism = body.text().map_err(fatal)?;
    if mechanism != MECHANISM {
        return Err(Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "client selected an invalid SASL authentication mechanism")));
    }
    let length = body.u32().map_err(fatal)? as usize;
    if body.0.remaining() != length {
        return Err(Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "malformed SCRAM message")));
    }
    Ok(body.0)
}
