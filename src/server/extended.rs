//! The extended protocol: Parse, Bind, Describe, Execute, Close, Flush. (Sync ends the implicit transaction and is in
//! [`super::connection`].)

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::backend;
use super::connection::Connection;
use super::error::Stop;
use super::frontend::{Bind, Frontend, Target};
use super::parameters;
use super::portal::{Portal, Running, State, formats};
use super::row_sender::{self, Portion};
use crate::coordinator::api::{Description, Response};
use crate::coordinator::session::Prepared;
use crate::types::{Report, SqlState, SqlType};

impl Connection {
    pub(super) async fn extended(&mut self, message: Frontend) -> Result<(), Stop> {
        self.interrupt.start(self.session.statement_timeout());
        match message {
            Frontend::Parse { statement, query, types } => self.parse(&statement, &query, types).await,
            Frontend::Bind(bind) => self.bind(bind),
            Frontend::Describe(Target::Statement(name)) => {
                let prepared = self.session.prepared().get(&name)?;
                backend::parameter_description(&mut self.wire.outbound, &prepared.description, &prepared.declared);
                self.describe_rows(&prepared, &[]);
                Ok(())
            }
            Frontend::Describe(Target::Portal(name)) => {
                let portal = self.portals.get(&name).ok_or_else(|| no_portal(&name))?;
                let (prepared, formats) = (portal.prepared.clone(), portal.result_formats.clone());
                self.describe_rows(&prepared, &formats);
                Ok(())
            }
            Frontend::Execute { portal, max_rows } => self.execute_portal(&portal, max_rows).await,
            Frontend::Close(target) => {
                match target {
                    Target::Statement(name) => drop(self.session.prepared_mut().remove(&name)),
                    Target::Portal(name) => drop(self.portals.remove(&name)),
                }
                backend::close_complete(&mut self.wire.outbound);
                Ok(())
            }
            Frontend::Flush => Ok(self.wire.flush().await?),
            Frontend::Malformed { report, .. } => Err(report.into()),
            other => Err(Stop::Fatal(Report::error(
                SqlState::PROTOCOL_VIOLATION,
                format!("unexpected message: {}", format!("{other:?}").split(['(', ' ']).next().unwrap_or_default()),
            ))),
        }
    }

    async fn parse(&mut self, name: &str, query: &str, declared: Vec<u32>) -> Result<(), Stop> {
        if !name.is_empty() && self.session.prepared().get(name).is_ok() {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Report::error(SqlState::DUPLICATE_PREPARED_STATEMENT, message).into());
        }
        let mut statements = self.session.parse(query)?;
        if statements.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Report::error(SqlState::SYNTAX_ERROR, message).into());
        }
        let statement = statements.pop();
        let types: Vec<Option<SqlType>> = declared.iter().map(|oid| SqlType::of_oid(*oid)).collect();
        let mut description = match &statement {
            Some(statement) => self.session.describe(statement, &types).await?,
            None => Description { parameters: Vec::new(), columns: None },
        };
        // A parameter that is declared and not used is a parameter all the same.
        for declared in types.iter().skip(description.parameters.len()) {
            description.parameters.push(declared.clone().unwrap_or(SqlType::Text));
        }
        self.session.prepared_mut().add(name, Prepared::new(statement, description, declared))?;
        backend::parse_complete(&mut self.wire.outbound);
        Ok(())
    }

    fn bind(&mut self, bind: Bind) -> Result<(), Stop> {
        let prepared = self.session.prepared().get(&bind.statement)?;
        if let Some(statement) = &prepared.statement {
            self.session.admit(statement)?;
        }
        let types: &[SqlType] = &prepared.description.parameters;
        let values = parameters::read(&bind.values, &bind.formats, types, &bind.statement, &self.session.zone())?;
        let columns = prepared.description.columns.as_ref().map_or(0, Vec::len);
        if bind.result_formats.len() > 1 && bind.result_formats.len() != columns {
            let message = format!("bind message has {} result formats but query has {columns} columns", bind.result_formats.len());
            return Err(Report::error(SqlState::PROTOCOL_VIOLATION, message).into());
        }
        if let Some(format) = bind.result_formats.iter().find(|f| !matches!(f, 0 | 1)) {
            return Err(parameters::unknown_format(*format).into());
        }
        let portal = Portal { prepared, result_formats: bind.result_formats, state: State::Bound(values) };
        match self.portals.entry(bind.portal) {
            Entry::Occupied(entry) if !entry.key().is_empty() => {
                let message = format!("cursor \"{}\" already exists", entry.key());
                return Err(Report::error(SqlState("42P03"), message).into());
            }
            Entry::Occupied(mut entry) => drop(entry.insert(portal)),
            Entry::Vacant(entry) => drop(entry.insert(portal)),
        }
        backend::bind_complete(&mut self.wire.outbound);
        Ok(())
    }

    fn describe_rows(&mut self, prepared: &Prepared, result_formats: &[i16]) {
        match &prepared.description.columns {
            Some(columns) => {
                let formats = formats(result_formats, columns.len());
                backend::row_description(&mut self.wire.outbound, columns, &formats);
            }
            None => backend::no_data(&mut self.wire.outbound),
        }
    }

    /// The portal is taken out while it runs, and put back unless it failed.
    async fn execute_portal(&mut self, name: &str, max_rows: i32) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let limit = u64::try_from(max_rows).ok().filter(|limit| *limit > 0);
        portal.state = match portal.state {
            State::Bound(parameters) => {
                let Some(statement) = &portal.prepared.statement else {
                    backend::empty_query(&mut self.wire.outbound);
                    self.portals.insert(name.to_string(), Portal { state: State::Finished { rows: false }, ..portal });
                    return Ok(());
                };
                self.session.begin_implicit();
                let response = self.execute(&statement.clone(), parameters, &portal.prepared.remembered).await?;
                self.answer(&portal.prepared, &portal.result_formats, response, limit).await?
            }
            State::Running(running) => self.send_portion(&portal.result_formats, running, limit).await?,
            State::Finished { rows: true } => {
                backend::command_complete(&mut self.wire.outbound, "SELECT 0");
                State::Finished { rows: true }
            }
            State::Finished { rows: false } => {
                let message = format!("portal \"{name}\" cannot be run");
                return Err(Report::error(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
            }
        };
        self.portals.insert(name.to_string(), portal);
        Ok(())
    }

    async fn answer(
        &mut self,
        prepared: &Arc<Prepared>,
        result_formats: &[i16],
        response: Response,
        limit: Option<u64>,
    ) -> Result<State, Stop> {
        let tag = match response {
            Response::Rows { columns, rows, tag } => {
                let promised = prepared.description.columns.as_deref().unwrap_or_default();
                let same = promised.len() == columns.len() && promised.iter().zip(&columns).all(|(p, c)| p.sql_type == c.sql_type);
                if !same {
                    return Err(Report::unsupported("cached plan must not change result type").into());
                }
                return self.send_portion(result_formats, Running::new(columns, rows, tag), limit).await;
            }
            Response::Empty => {
                backend::empty_query(&mut self.wire.outbound);
                return Ok(State::Finished { rows: false });
            }
            Response::Done { tag } => tag,
            Response::CopyIn { columns, copy } => self.copy_in(columns, copy).await?,
            Response::CopyOut { columns, data } => self.copy_out(columns, data).await?,
        };
        self.tell_notices();
        self.complete(&tag);
        Ok(State::Finished { rows: false })
    }

    async fn send_portion(&mut self, result_formats: &[i16], mut running: Running, limit: Option<u64>) -> Result<State, Stop> {
        let formats = formats(result_formats, running.columns.len());
        let zone = self.session.zone();
        let portion = row_sender::send(&mut self.wire, &mut running, &formats, &zone, &self.interrupt, limit).await?;
        self.tell_notices();
        match portion {
            Portion::Suspended => {
                backend::portal_suspended(&mut self.wire.outbound);
                Ok(State::Running(running))
            }
            Portion::Complete => {
                self.complete(&backend::rows_tag(&running.tag, running.sent));
                Ok(State::Finished { rows: true })
            }
        }
    }
}

fn no_portal(name: &str) -> Report {
    Report::error(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
