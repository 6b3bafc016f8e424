//! The rules: each takes the tree and gives complaints that say where, what, and how to mend it.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Tree, folder_of};
use super::table::Table;

pub type Complaint = String;

/// Imports that the table does not have.
pub fn imports(tree: &Tree, table: &Table) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in &tree.files {
        let from = folder_of(path).to_string();
        let from = if path.contains('/') { from } else { path.clone() };
        for used in &file.uses {
            let Some(inside) = &used.inside else { continue };
            let Some(target) = tree.file_of(inside) else { continue };
            let to = if target.contains('/') { folder_of(target) } else { target };
            if to == from || to == "lib.rs" {
                continue;
            }
            let to = to.to_string();
            let Some(row) = table.row(&from) else {
                if from != "lib.rs" {
                    continue; // `rows` complains
                }
                complaints.push(format!("src/lib.rs:{}: lib.rs only declares modules, but uses `{}`", used.line, used.written.join("::")));
                continue;
            };
            let named = |name: &str| row.names.iter().any(|n| n == name) || row.may.contains(name);
            let stem = to.trim_end_matches(".rs").to_string();
            if named(&to) || named(&stem) || row.may_modules.iter().any(|m| inside.starts_with(m)) {
                continue;
            }
            complaints.push(format!(
                "src/{path}:{}: `{from}` must not import `{to}` (it uses `{}`).\n  ARCHITECTURE.md allows it: {}.\n  Move what both need into a folder that both may import, or pass it in; \
                 if the map itself is wrong, change its table and say why.",
                used.line,
                used.written.join("::"),
                row.written
            ));
        }
    }
    complaints
}

/// Folders that the table does not know, and rows about nothing.
pub fn rows(tree: &Tree, table: &Table) -> Vec<Complaint> {
    let there: BTreeSet<&str> = tree.files.keys().map(|p| folder_of(p)).filter(|f| *f != "lib.rs").collect();
    let known: BTreeSet<&str> = table.0.iter().flat_map(|r| r.names.iter().map(String::as_str)).collect();
    let unknown = there.difference(&known).map(|f| format!("src/{f} is not in the import table of ARCHITECTURE.md: add a row for it"));
    let empty = known
        .difference(&there)
        .map(|f| format!("ARCHITECTURE.md has a row for `{f}`, but src/{f} is not there: remove it from the table"));
    unknown.chain(empty).collect()
}

/// From each place to the places that it imports, with one line that does so.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

pub fn folder_circles(tree: &Tree) -> Vec<Complaint> {
    let mut graph = Graph::new();
    for (path, file) in &tree.files {
        for used in &file.uses {
            let Some(target) = used.inside.as_ref().and_then(|p| tree.file_of(p)) else { continue };
            let (from, to) = (folder_of(path), folder_of(target));
            if from != to && to != "lib.rs" {
                let line = format!("src/{path}:{}: {}", used.line, used.written.join("::"));
                graph.entry(from.into()).or_default().entry(to.into()).or_insert(line);
            }
        }
    }
    circles(&graph, "Folders")
}

/// Tests are not counted: they are compiled apart, and may look at everything.
pub fn file_circles(tree: &Tree) -> Vec<Complaint> {
    let mut graph = Graph::new();
    for (path, file) in tree.files.iter().filter(|(_, file)| !file.test) {
        for used in file.uses.iter().filter(|u| !u.test) {
            let Some(target) = used.inside.as_ref().and_then(|p| tree.file_of(p)) else { continue };
            if target != path {
                let line = format!("src/{path}:{}: {}", used.line, used.written.join("::"));
                graph.entry(path.clone()).or_default().entry(target.into()).or_insert(line);
            }
        }
    }
    circles(&graph, "Files")
}

/// One shortest circle through each place that lies on one, each circle once.
fn circles(graph: &Graph, what: &str) -> Vec<Complaint> {
    let mut seen = BTreeSet::new();
    let mut complaints = Vec::new();
    for start in graph.keys() {
        let Some(circle) = shortest_circle(graph, start) else { continue };
        let mut members = circle.clone();
        members.sort();
        if !seen.insert(members) {
            continue;
        }
        let lines: Vec<&str> = circle.iter().zip(circle.iter().cycle().skip(1)).map(|(a, b)| graph[a][b].as_str()).collect();
        complaints.push(format!(
            "{what} import each other in a circle:\n    {}\n  Move what they share into a file that imports neither, and let both import that one.",
            lines.join("\n    ")
        ));
    }
    complaints
}

fn shortest_circle(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut paths = vec![vec![start.to_string()]];
    let mut reached = BTreeSet::new();
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            for next in graph.get(path.last()?).into_iter().flat_map(|m| m.keys()) {
                if next == start {
                    return Some(path);
                }
                if reached.insert(next.clone()) {
                    longer.push([path.clone(), vec![next.clone()]].concat());
                }
            }
        }
        paths = longer;
    }
    None
}

/// Files that do not open by saying what they are.
pub fn undocumented(tree: &Tree, root: &str) -> Vec<Complaint> {
    let says = |text: &str| text.lines().next().and_then(|l| l.strip_prefix("//!")).is_some_and(|d| d.trim().len() >= 15);
    tree.files
        .iter()
        .filter(|(_, file)| !says(&file.text))
        .map(|(path, _)| {
            format!("{root}/{path}: the first line has to be `//! ...`: say what this file means to someone who has not read the code")
        })
        .collect()
}

/// Calls that read a clock or draw at random, by the names that end a path.
const CLOCKS: &[&[&str]] = &[
    &["SystemTime", "now"],
    &["Instant", "now"],
    &["Utc", "now"],
    &["Local", "now"],
    &["chrono", "Local"],
    &["rand", "rng"],
    &["rand", "random"],
    &["thread_rng"],
    &["from_os_rng"],
    &["from_entropy"],
    &["OsRng"],
    &["Uuid", "new_v4"],
    &["Uuid", "now_v7"],
    &["RandomState"],
];

/// Where the clock belongs: the coordinator stamps each epoch, and a command line has no epochs.
const CLOCK_PLACES: &[&str] = &["coordinator", "cli", "main.rs"];

/// A clock outside those, and why it cannot change an answer.
pub struct Allowed {
    pub place: &'static str,
    pub call: &'static str,
    pub reason: &'static str,
}

pub const ALLOWED_CLOCKS: &[Allowed] = &[
    Allowed { place: "sources/", call: "Instant::now", reason: "pacing and time limits of waiting for a broker: how long, never what" },
    Allowed { place: "sinks/", call: "Instant::now", reason: "time limits of requests" },
    Allowed { place: "sinks/", call: "Uuid::new_v4", reason: "names of files and tables must be new, not repeatable" },
    Allowed { place: "sinks/", call: "Uuid::now_v7", reason: "names of files must be new, not repeatable" },
    Allowed { place: "sinks/", call: "SystemTime::now", reason: "the time that a snapshot's metadata carries for other readers" },
    Allowed { place: "server/", call: "Instant::now", reason: "statement_timeout and idle time limits" },
    Allowed { place: "server/", call: "rand::rng", reason: "cancel keys and SCRAM nonces must not be guessable" },
];

pub fn clocks(tree: &Tree, allowed: &[Allowed]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.files.iter().filter(|(_, file)| !file.test) {
        if CLOCK_PLACES.contains(&folder_of(path)) {
            continue;
        }
        for used in file.uses.iter().filter(|u| !u.test) {
            let Some(clock) = CLOCKS.iter().find(|c| used.written.windows(c.len()).any(|w| w == **c)) else { continue };
            let call = clock.join("::");
            if !allowed.iter().any(|a| path.starts_with(a.place) && a.call == call && !a.reason.is_empty()) {
                complaints.push(format!(
                    "src/{path}:{}: `{call}` outside the coordinator: a replay would not give the same answer.\n  Take the time, the seed or the identifier as an argument; the coordinator knows them. \
                     If it cannot change an answer, add it with the reason to ALLOWED_CLOCKS in tests/tidy/rules.rs.",
                    used.line
                ));
            }
        }
    }
    complaints
}
