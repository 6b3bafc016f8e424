//! Clients' own statements, planned and run over the system relations of a small catalog.

mod clients;
mod content;
mod world;
