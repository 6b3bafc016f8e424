//! Every system call that makes something durable, one after the other: the process is killed as it makes the call, or the
//! call fails as on a full or a broken disk.
//!
//! Between two such calls a process changes only its own memory, which SIGKILL takes away: to be killed at each of them is
//! to be killed anywhere. strace counts calls by thread and by name; a run without any harm tells which there are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lanes::{Round, everything};
use crate::round::{LIMIT, Outcome, answered, finish, recover, start, stopped, tail};
use crate::support::floe::Launch;
use crate::support::{Floe, eventually, progress};
use crate::work::{STEPS, Work};
use crate::world::World;

/// What can be durable: data, names, sizes.
const CALLS: [&str; 11] =
    ["fsync", "fdatasync", "sync_file_range", "write", "pwrite64", "rename", "link", "unlink", "ftruncate", "fallocate", "mkdir"];
/// Those that a full disk refuses; a broken one refuses all.
const FILLING: [&str; 6] = ["fsync", "fdatasync", "write", "pwrite64", "fallocate", "mkdir"];

/// When the call is made: while floe starts (with a journal to do again), or at work by the threads of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Start,
    Work(String),
}

/// The `number`th time that a thread makes the call; among its calls on the store's files it is the `of_store`th.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    phase: Phase,
    name: String,
    number: usize,
    of_store: Option<usize>,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Call { phase, name, number, .. } = self;
        match phase {
            Phase::Start => write!(f, "start/{name}/{number}"),
            Phase::Work(thread) => write!(f, "{thread}/{name}/{number}"),
        }
    }
}

/// Rounds that kill, and rounds in which the call fails.
pub fn rounds(seed: u64) -> (Vec<Round>, Vec<Round>) {
    assert!(
        Command::new("strace").arg("--version").output().is_ok_and(|o| o.status.success()),
        "strace is missing: scripts/setup test installs it"
    );
    let calls = reference(seed);
    let (mut kills, mut failures) = (Vec::new(), Vec::new());
    for call in &calls {
        let (to_kill, how) = (call.clone(), call.clone());
        kills.push(Round { name: format!("kill at {call}"), play: Box::new(move |world| kill(world, seed, &to_kill)) });
        // Threads wake each other by `write` as well, and no disk fails that: only the store's files count.
        if call.name == "write" && call.of_store.is_none() {
            continue;
        }
        let full = FILLING.contains(&call.name.as_str());
        for (error, state) in [("ENOSPC", "53100"), ("EIO", "58030")] {
            for lasting in [false, true] {
                // A disk that is broken for good is another disk; one that is full stays so for a while.
                if error == "ENOSPC" && !full || error == "EIO" && lasting {
                    continue;
                }
                let how = how.clone();
                failures.push(Round {
                    name: format!("{error}{} at {call}", if lasting { " from then on" } else { "" }),
                    play: Box::new(move |world| fail(world, seed, &how, error, state, lasting)),
                });
            }
        }
    }
    let (kills, failures) = (sample(kills, 24, seed), sample(failures, 24, seed));
    (kills, failures)
}

/// The share of them, spread over all kinds; another seed takes others.
fn sample(rounds: Vec<Round>, share: usize, seed: u64) -> Vec<Round> {
    let step = if everything() || std::env::var("FLOE_TORTURE_ONLY").is_ok() { 1 } else { (rounds.len() / share).max(1) };
    rounds.into_iter().skip(seed as usize % step).step_by(step).collect()
}

/// A world whose last floe was killed at work, with a journal behind it.
fn journalled(world: &mut World, seed: u64) -> Result<Work, String> {
    const NAME: &str = "journalled";
    if let Some(work) = world.back_to(NAME) {
        return Ok(work);
    }
    let mut work = Work::new(seed);
    let mut floe = start(world, "")?;
    work.go(world, &floe.address(), STEPS / 2).map_err(|e| format!("work before: {e}"))?;
    floe.kill();
    drop(floe);
    world.keep(NAME, &work);
    Ok(work)
}

/// The calls of a run without harm that change something of the world.
fn reference(seed: u64) -> Vec<Call> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new(folder.path().to_path_buf());
    let log = folder.path().join("calls");
    let mut calls: BTreeMap<String, Call> = BTreeMap::new();
    let mut note = |phase: Phase, (_, name, number, of_store): Touch| {
        let call = Call { phase, name, number, of_store };
        let known = calls.entry(call.to_string()).or_insert_with(|| call.clone());
        known.of_store = known.of_store.or(call.of_store);
    };

    let mut work = journalled(&mut world, seed).expect("a journal");
    let under = under_strace(&["-y", "-e", &format!("trace={}", CALLS.join(",")), "-o", &log.display().to_string()]);
    let mut floe = world.start(Launch { under: &under, ..Launch::default() }).unwrap_or_else(|failed| panic!("{}", failed.log));
    std::thread::sleep(Duration::from_millis(500));
    floe.kill();
    drop(floe);
    touching(&log, &world).into_iter().for_each(|touch| note(Phase::Start, touch));

    let mut floe = start(&world, "").expect("floe starts");
    std::thread::sleep(Duration::from_millis(300));
    let mut strace =
        attach(&["-f", "-p", &floe.id().to_string(), "-y", "-e", &format!("trace={}", CALLS.join(",")), "-o", &log.display().to_string()]);
    work.go(&world, &floe.address(), STEPS).expect("work without harm");
    std::thread::sleep(Duration::from_millis(300));
    let names = threads(floe.id());
    floe.kill();
    let _ = strace.wait();
    for touch in touching(&log, &world) {
        if let Some(thread) = names.get(&touch.0) {
            note(Phase::Work(thread.clone()), touch);
        }
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls.values() {
        let phase = if let Phase::Work(thread) = &call.phase { thread } else { "start" };
        *kinds.entry(format!("{phase}/{}", call.name)).or_default() += 1;
    }
    progress(format_args!("{} calls: {kinds:?}", calls.len()));
    assert!(calls.len() > 50, "strace saw next to nothing");
    calls.into_values().collect()
}

/// Thread, call, the how manieth of its kind in the thread, and the how manieth on the store's files.
type Touch = (u32, String, usize, Option<usize>);

/// The calls in the log that name the world.
fn touching(log: &std::path::Path, world: &World) -> Vec<Touch> {
    let text = std::fs::read_to_string(log).expect("strace wrote its log");
    let (place, store) = (world.at("").display().to_string(), format!("<{}/", world.data().display()));
    let (mut counts, mut found) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let (Ok(thread), Some((name, _))) = (thread.parse::<u32>(), rest.trim_start().split_once('(')) else { continue };
        if !CALLS.contains(&name) {
            continue;
        }
        let (number, of_store): &mut (usize, usize) = counts.entry((thread, name.to_string())).or_default();
        *number += 1;
        // RocksDB's own log is read by people alone; floe's is beside its data. Kept checkpoints have names of their own.
        let stored = line.contains(&store) && !line.contains("/LOG>") && !line.contains("/kept/");
        *of_store += usize::from(stored);
        if line.contains(&place) && !line.contains("/LOG>") && !line.contains(&format!(".{}.log>", world.port)) {
            found.push((thread, name.to_string(), *number, stored.then_some(*of_store)));
        }
    }
    found
}

/// The names of a process' threads.
fn threads(process: u32) -> BTreeMap<u32, String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let named = tasks.filter_map(|task| {
        let id = task.file_name().to_str()?.parse().ok()?;
        Some((id, std::fs::read_to_string(task.path().join("comm")).ok()?.trim().to_string()))
    });
    named.collect()
}

/// strace as a process of its own below floe: floe stays the child that is waited for and killed.
fn under_strace(arguments: &[&str]) -> Vec<String> {
    ["strace", "-D", "-f"].iter().chain(arguments).map(|a| a.to_string()).collect()
}

/// strace on a process that runs, once it has attached.
fn attach(arguments: &[&str]) -> Child {
    let mut strace = Command::new("strace").args(arguments).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("strace starts");
    let mut lines = BufReader::new(strace.stderr.take().expect("piped")).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    assert!(first.contains("attached"), "strace does not attach: {first}");
    // The rest is read away, so that strace never waits for it.
    std::thread::spawn(move || lines.for_each(drop));
    strace
}

fn attach_to(floe: &Floe, thread: &str, arguments: &[&str]) -> Result<Child, String> {
    let wanted: Vec<u32> = threads(floe.id()).into_iter().filter(|(_, name)| name == thread).map(|(id, _)| id).collect();
    if wanted.is_empty() {
        return Err(format!("floe has no thread {thread}"));
    }
    let mut all: Vec<String> = wanted.iter().flat_map(|id| ["-p".to_string(), id.to_string()]).collect();
    all.extend(arguments.iter().map(|a| a.to_string()));
    Ok(attach(&all.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// floe that is harmed at one call, after as much work as it did.
struct Harmed {
    work: Work,
    floe: Option<Floe>,
    strace: Option<Child>,
    worked: Result<(), crate::support::SqlError>,
    said: String,
}

fn harm(world: &mut World, seed: u64, call: &Call, harm: &str, only: &[String], log: &std::path::Path) -> Result<Harmed, String> {
    let (trace, inject, log) = (format!("trace={}", call.name), format!("inject={}:{harm}", call.name), log.display().to_string());
    let mut arguments = vec!["-y", "-e", &trace, "-e", &inject, "-o", &log];
    arguments.extend(only.iter().flat_map(|path| ["-P", path.as_str()]));
    let mut work = journalled(world, seed)?;
    match &call.phase {
        Phase::Start => match world.start(Launch { under: &under_strace(&arguments), ..Launch::default() }) {
            Ok(floe) => {
                // What starts beside it, as sinks do, may meet the call a little later.
                std::thread::sleep(Duration::from_millis(300));
                Ok(Harmed { work, floe: Some(floe), strace: None, worked: Ok(()), said: String::new() })
            }
            Err(failed) => Ok(Harmed { work, floe: None, strace: None, worked: Ok(()), said: failed.log }),
        },
        Phase::Work(thread) => {
            let floe = start(world, "")?;
            std::thread::sleep(Duration::from_millis(300));
            let strace = Some(attach_to(&floe, thread, &arguments)?);
            crate::audit::acknowledged(&crate::round::connect(&floe)?, &mut work).ok();
            let worked = work.go(world, &floe.address(), STEPS);
            std::thread::sleep(Duration::from_millis(100));
            Ok(Harmed { work, floe: Some(floe), strace, worked, said: String::new() })
        }
    }
}

fn kill(world: &mut World, seed: u64, call: &Call) -> Result<Outcome, String> {
    let log = world.beside("calls");
    let Harmed { mut work, mut floe, strace, .. } = harm(world, seed, call, &format!("signal=SIGKILL:when={}", call.number), &[], &log)?;
    let mut outcome = Outcome::Hit;
    if let Some(floe) = &mut floe
        && floe.ended_within(Duration::from_millis(200)).is_none()
    {
        outcome = Outcome::Missed;
        floe.kill();
    }
    drop(floe);
    strace.into_iter().for_each(end);
    let on_the_way = call.number.is_multiple_of(3).then_some("recovery.replay");
    recover(world, &mut work, on_the_way)?;
    Ok(outcome)
}

/// The process goes on without strace.
fn let_go(mut strace: Child) {
    let _ = Command::new("kill").args(["-TERM", &strace.id().to_string()]).status();
    let _ = strace.wait();
}

/// strace ends with the process that it is attached to.
fn end(mut strace: Child) {
    let _ = strace.wait();
}

fn fail(world: &mut World, seed: u64, call: &Call, error: &str, state: &str, lasting: bool) -> Result<Outcome, String> {
    let log = world.beside("calls");
    let (number, only) = match call.of_store {
        Some(number) if call.name == "write" => (number, store_files(world)),
        _ => (call.number, Vec::new()),
    };
    let when = format!("error={error}:when={number}{}", if lasting { "+" } else { "" });
    let Harmed { mut work, floe, mut strace, worked, said } = harm(world, seed, call, &when, &only, &log)?;
    let injected = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("(INJECTED)"));
    match floe {
        None => {
            // The start failed: in words, and with the right reason.
            if !said.contains("error: ") || said.contains("panicked") {
                return Err(format!("floe does not say why it ends:\n{}", tail(&said)));
            }
        }
        Some(mut floe) => {
            if !floe.running() {
                return Err("floe has ended without being asked".into());
            }
            if let Err(error) = &worked {
                answered(error, &[state])?;
            }
            let ready = |floe: &Floe| matches!(floe.get("/readyz"), Some((200, _)));
            // Nothing of floe's own state was hit: it goes on as if nothing had been. What strace does not let go of, when
            // floe was started under it, may still be hit on the way.
            let mut unharmed = worked.is_ok() && ready(&floe);
            if unharmed && !lasting {
                strace.take().into_iter().for_each(let_go);
                if let Err(complaint) = finish(world, &mut work, &floe) {
                    unharmed = ready(&floe);
                    if unharmed {
                        return Err(complaint);
                    }
                }
            }
            if !unharmed {
                eventually("floe stops", LIMIT, || stopped(&floe, &[state]));
                if call.name.ends_with("sync") {
                    no_second_sync(&log, world)?;
                }
            }
            floe.kill();
        }
    }
    strace.into_iter().for_each(end);
    recover(world, &mut work, None)?;
    Ok(if injected() { Outcome::Hit } else { Outcome::Missed })
}

/// What RocksDB's files may be called in so short a life: strace takes paths, and no patterns.
fn store_files(world: &World) -> Vec<String> {
    let data = world.data();
    let named = |number: u32| {
        let names = [format!("{number:06}.log"), format!("{number:06}.sst"), format!("{number:06}.dbtmp"), format!("MANIFEST-{number:06}")];
        names.map(|name| data.join(name).display().to_string())
    };
    (1..=300).flat_map(named).collect()
}

/// After a sync of floe's own state that failed nobody syncs that file again, and takes what is there for durable.
fn no_second_sync(log: &std::path::Path, world: &World) -> Result<(), String> {
    let text = std::fs::read_to_string(log).map_err(|e| e.to_string())?;
    let place = world.data().display().to_string();
    let file = |line: &str| Some(line.split_once('<')?.1.split_once('>')?.0.to_string());
    let mut failed = BTreeSet::new();
    for line in text.lines() {
        let Some(file) = file(line).filter(|file| file.starts_with(&place)) else { continue };
        if line.contains("(INJECTED)") {
            failed.insert(file);
        } else if failed.contains(&file) {
            return Err(format!("the sync of {file} failed and was tried again: {line}"));
        }
    }
    Ok(())
}
