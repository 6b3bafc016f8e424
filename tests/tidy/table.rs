//! The import table, read from ARCHITECTURE.md: that page is the only place where it is written.

use std::collections::BTreeSet;

/// One row: the names it is about, and what they may import.
#[derive(Debug)]
pub struct Row {
    /// Top-level folders or files of `src`, as `types` or `main.rs`. Names of one row may import each other.
    pub names: Vec<String>,
    pub may: BTreeSet<String>,
    /// Single modules of other folders, as `["planner", "circuit_plan"]`.
    pub may_modules: Vec<Vec<String>>,
    /// The cell as written, for messages.
    pub written: String,
}

#[derive(Debug)]
pub struct Table(pub Vec<Row>);

impl Table {
    /// The markdown table whose header is `| folder | ... | may import |`.
    pub fn parse(page: &str) -> Result<Table, String> {
        let mut rows: Vec<Row> = Vec::new();
        let mut lines = page.lines().skip_while(|l| !(l.starts_with("| folder") && l.contains("may import")));
        lines.next().ok_or("no table with the columns `folder` and `may import`")?;
        for line in lines.skip(1).take_while(|l| l.starts_with('|')) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [first, .., last] = cells.as_slice() else { return Err(format!("a row with too few cells: {line}")) };
            let names: Vec<String> = first.split(',').map(|n| n.trim().trim_matches('`').trim_end_matches('/').to_string()).collect();
            let mut row = Row { names, may: BTreeSet::new(), may_modules: Vec::new(), written: last.replace('`', "") };
            for word in last.split(',').map(|w| w.trim().trim_matches('`')) {
                match word {
                    "-" => {}
                    "all above" => row.may.extend(rows.iter().flat_map(|r| r.names.clone())),
                    module if module.contains("::") => row.may_modules.push(module.split("::").map(String::from).collect()),
                    name => {
                        if !rows.iter().any(|r| r.names.iter().any(|n| n == name)) {
                            return Err(format!(
                                "the row of {first} allows `{name}`, which no row above it names: the road has one direction"
                            ));
                        }
                        row.may.insert(name.to_string());
                    }
                }
            }
            rows.push(row);
        }
        if rows.is_empty() { Err("the import table has no rows".into()) } else { Ok(Table(rows)) }
    }

    pub fn row(&self, name: &str) -> Option<&Row> {
        self.0.iter().find(|row| row.names.iter().any(|n| n == name))
    }
}
