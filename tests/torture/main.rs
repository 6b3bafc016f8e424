//! Crash proof: one fixed workload, stopped at every place where it can be stopped, and audited after each.
//!
//! `make torture` plays every round; a change has to pass a share of them. A round that failed is had again by its name:
//! `FLOE_TORTURE_ONLY='journal.written=kill@1' cargo test --release --test torture`; `FLOE_TORTURE_KEEP=folder` keeps what it
//! left.

mod audit;
mod calls;
mod fail_points;
mod kills;
mod lanes;
mod round;
#[path = "../support/mod.rs"]
mod support;
mod work;
mod world;

use support::shop;

/// Killed, failed, broken and held up at every fail point.
#[test]
fn every_fail_point() {
    lanes::run("fail points", fail_points::rounds(shop::seed()), 100);
}

/// Killed at moments that nobody chose, and again while it starts.
#[test]
fn kills_at_any_moment() {
    lanes::run("kills at any moment", kills::rounds(shop::seed()), 100);
}

/// Killed at, and failed by, every system call that makes something durable. Threads meet some of their calls only now and
/// then: those rounds are counted apart.
#[test]
fn every_durable_call() {
    let (kills, failures) = calls::rounds(shop::seed());
    lanes::run("calls that kill", kills, 60);
    lanes::run("calls that fail", failures, 60);
}
