//! The values of a Debezium change, in their order: what a path through changes of its form is made of.
//!
//! The row's values go into columns: `after` of a change that brings a row, the key in `before` of one that takes it. The
//! others are passed over, each for itself: of the objects `source` and `transaction` the names come again every time, and
//! only the numbers and texts in them change.

use super::connect_schema::Wires;
use super::fields::Fields;
use super::json::Scanner;
use super::leaf::{Form, Leaf, Reading};
use crate::types::Column;
use crate::zset::ChangeOp;

struct Walk<'a> {
    wires: &'a Wires,
    op: ChangeOp,
    columns: &'a [Column],
    primary_key: &'a [usize],
    fields: &'a Fields,
    leaves: Vec<Leaf>,
    /// Whether the operation and the row have been met.
    met: (bool, bool),
}

/// The values of a good change; `None` for a message that says something twice.
pub fn of_change(text: &str, wires: &Wires, op: ChangeOp, columns: &[Column], primary_key: &[usize], fields: &Fields) -> Option<Vec<Leaf>> {
    let mut walk = Walk { wires, op, columns, primary_key, fields, leaves: Vec::new(), met: (false, false) };
    walk.message(&mut Scanner::new(text), true)?;
    (walk.met == (true, true)).then_some(walk.leaves)
}

impl Walk<'_> {
    fn message(&mut self, scanner: &mut Scanner<'_>, top: bool) -> Option<()> {
        let row = if self.op == ChangeOp::Delete { "before" } else { "after" };
        scanner.enter_object().ok()?;
        let mut first = true;
        while let Some(name) = scanner.member(first).ok()? {
            first = false;
            match (name, scanner.peek()) {
                ("payload", b'{') if top => {
                    if self.met != (false, false) {
                        return None;
                    }
                    self.message(scanner, false)?;
                }
                // Parts of the path as they are: the schema's text decides how the values are read.
                ("schema" | "payload", _) if top => {
                    scanner.value().ok()?;
                }
                (name, first) if name == row => {
                    if first != b'{' || std::mem::replace(&mut self.met.1, true) {
                        return None;
                    }
                    self.row(scanner)?;
                }
                ("op", _) => {
                    if std::mem::replace(&mut self.met.0, true) {
                        return None;
                    }
                    let reading = if self.op == ChangeOp::Delete { Reading::RowGoes } else { Reading::RowComes };
                    self.leaf(scanner, reading)?;
                }
                _ => self.passed_over(scanner, 0)?,
            }
        }
        Some(())
    }

    fn row(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        let leaves = self.fields.leaves(scanner, |at| {
            let is_key = self.primary_key.contains(&at);
            if self.op == ChangeOp::Delete && !is_key {
                return Reading::Skip;
            }
            let column = &self.columns[at];
            let form = self.wires.get(at).and_then(Option::as_ref).map_or(Form::Any, |wire| Form::of(&column.sql_type, wire));
            Reading::Column { place: at.into(), nullable: column.nullable && !is_key, form }
        })?;
        self.leaves.extend(leaves);
        Some(())
    }

    /// Objects are entered as far as such messages nest them.
    fn passed_over(&mut self, scanner: &mut Scanner<'_>, depth: u32) -> Option<()> {
        const DEEPEST: u32 = 4;
        if scanner.peek() != b'{' || depth == DEEPEST {
            return self.leaf(scanner, Reading::Skip);
        }
        scanner.enter_object().ok()?;
        let mut first = true;
        while scanner.member(first).ok()?.is_some() {
            first = false;
            self.passed_over(scanner, depth + 1)?;
        }
        Some(())
    }

    fn leaf(&mut self, scanner: &mut Scanner<'_>, reading: Reading) -> Option<()> {
        scanner.peek();
        let start = scanner.position();
        scanner.value().ok()?;
        self.leaves.push(Leaf { start, end: scanner.position(), reading });
        Some(())
    }
}
