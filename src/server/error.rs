//! Why the server cannot start, and how a connection ends.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::types::Report;

/// The server does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    #[error("cannot listen on {address}: the address is in use")]
    AddressInUse { address: String, flag: &'static str },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("refusing to listen on {address} without a password: it can be reached from other machines")]
    NoPassword { address: SocketAddr },
}

impl ServerError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            ServerError::AddressInUse { flag, .. } => {
                format!("stop the program that listens there (another floe?), or give {flag} another port")
            }
            ServerError::Listen { .. } => "check that the address belongs to this machine and the port may be used".to_string(),
            ServerError::NoPassword { .. } => "give --password (or FLOE_PASSWORD), or listen on 127.0.0.1 only".to_string(),
        }
    }
}

/// How work on a connection stops early.
#[derive(Debug)]
pub enum Stop {
    /// The statement failed; the client is told and goes on.
    Statement(Report),
    /// The client is told, and the connection ends.
    Fatal(Report),
    /// The client has gone.
    Gone,
}

impl From<Report> for Stop {
    fn from(report: Report) -> Stop {
        Stop::Statement(report)
    }
}

impl From<crate::types::form::FormError> for Stop {
    fn from(error: crate::types::form::FormError) -> Stop {
        Stop::Statement(error.into())
    }
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Stop {
        Stop::Gone
    }
}
