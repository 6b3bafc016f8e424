//! `floe generate orders`: the change log of a large table as Debezium ships it, for the file connector or to be sent to a
//! topic.
//!
//! ```text
//! DIR/part-K.jsonl    {"schema":{...},"payload":{"before":null,"after":{...},"source":{...},"op":"u",...}}
//! ```
//!
//! With `--keys` a line is a whole message: the key, a tab and the value, and after a delete the key, a tab and nothing, the
//! tombstone. The same call writes the same bytes.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::nexmark;
use crate::sources::datagen::orders::{Left, Orders, OrdersOptions};

#[derive(Args, Debug)]
pub struct OrdersFlags {
    /// The folder that gets the files; files of an earlier run are replaced
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    changes: u64,
    /// Files; the changes of one order are all in one of them
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    parts: u16,
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    customers: u64,
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Lines of key, tab and value, with tombstones, as they are sent to a topic
    #[arg(long)]
    keys: bool,
    /// The table has REPLICA IDENTITY FULL: each change brings the row as it was before
    #[arg(long)]
    full: bool,
}

pub fn write(flags: &OrdersFlags) -> io::Result<()> {
    let parts = u64::from(flags.parts);
    let mut files = nexmark::open(&flags.dir, usize::from(flags.parts))?;
    let mut orders = Orders::new(OrdersOptions { seed: flags.seed, parts, customers: flags.customers, full_identity: flags.full });
    let (mut key, mut value) = (Vec::new(), Vec::with_capacity(4096));
    let mut bytes = 0u64;
    for _ in 0..flags.changes {
        key.clear();
        value.clear();
        let out = &mut files[orders.part()];
        let left = orders.write(&mut key, &mut value)?;
        bytes += value.len() as u64;
        value.push(b'\n');
        if flags.keys {
            key.push(b'\t');
            out.write_all(&key)?;
        }
        out.write_all(&value)?;
        if flags.keys && left == Left::Tombstone {
            key.push(b'\n');
            out.write_all(&key)?;
        }
    }
    files.iter_mut().try_for_each(Write::flush)?;
    println!("{} changes of {} bytes on average in {}", flags.changes, bytes / flags.changes.max(1), flags.dir.display());
    Ok(())
}
