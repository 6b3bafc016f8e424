//! `floe generate nexmark`: the Nexmark stream as files of JSON lines, for the file connector or to be sent to a topic.
//!
//! ```text
//! DIR/mixed/part-K.jsonl                   {"event_type":2,"bid":{...}}, all kinds in one stream (0 person, 1 auction, 2 bid)
//! DIR/{person,auction,bid}/part-K.jsonl    the bare records, one kind a folder
//! ```
//!
//! Each part is in the order of time, and parts advance together: the mixed files get 50 events in turn (one person, its
//! three auctions and 46 bids), the files of one kind a record in turn. The same call writes the same bytes.

use std::fs::{File, create_dir_all};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::sources::datagen::nexmark::{Kind, Nexmark};

#[derive(Args, Debug)]
pub struct NexmarkFlags {
    /// The folder that gets the files; files of an earlier run are replaced
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: usize,
    /// Files of each kind
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    parts: u16,
    /// Events in a second of the events' own time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Which files
    #[arg(long, value_delimiter = ',', default_value = "mixed,split")]
    what: Vec<Layout>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// One stream of all kinds
    Mixed,
    /// One stream a kind
    Split,
}

const BUFFER: usize = 1 << 20;

pub fn write(flags: &NexmarkFlags) -> io::Result<()> {
    let parts = usize::from(flags.parts);
    let wanted = |layout, name| match flags.what.contains(&layout) {
        true => open(&flags.dir.join(name), parts),
        false => Ok(Vec::new()),
    };
    let mut mixed = wanted(Layout::Mixed, "mixed")?;
    let mut split = Vec::new();
    for kind in Kind::ALL {
        split.push(wanted(Layout::Split, kind.name())?);
    }
    let mut counts = [0usize; Kind::ALL.len()];
    let mut stream = Nexmark::new(flags.rate as usize);
    let mut record = Vec::with_capacity(4096);
    for n in 0..flags.events {
        record.clear();
        let kind = stream.write(&mut record)?;
        record.push(b'\n');
        if let Some(file) = mixed.get_mut(n / Nexmark::GROUP % parts) {
            write!(file, "{{\"event_type\":{},\"{}\":", kind.number(), kind.name())?;
            file.write_all(&record[..record.len() - 1])?;
            file.write_all(b"}\n")?;
        }
        if let Some(file) = split[kind.number()].get_mut(counts[kind.number()] % parts) {
            file.write_all(&record)?;
        }
        counts[kind.number()] += 1;
    }
    mixed.iter_mut().chain(split.iter_mut().flatten()).try_for_each(Write::flush)?;
    let [people, auctions, bids] = counts;
    println!("{people} people, {auctions} auctions, {bids} bids in {}", flags.dir.display());
    Ok(())
}

/// The files of a folder, one a part.
pub fn open(folder: &Path, parts: usize) -> io::Result<Vec<BufWriter<File>>> {
    create_dir_all(folder)?;
    (0..parts).map(|part| Ok(BufWriter::with_capacity(BUFFER, File::create(folder.join(format!("part-{part}.jsonl")))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(String::from).collect()
    }

    #[test]
    fn both_layouts_hold_the_same_records() {
        let folder = tempfile::tempdir().unwrap();
        let what = vec![Layout::Mixed, Layout::Split];
        let flags = NexmarkFlags { dir: folder.path().to_path_buf(), events: 175, parts: 2, rate: 10_000, what };
        write(&flags).unwrap();
        let part = |folder: &str, part| lines(&flags.dir.join(folder).join(format!("part-{part}.jsonl")));
        let mixed = [part("mixed", 0), part("mixed", 1)];
        assert_eq!(mixed.each_ref().map(Vec::len), [100, 75]);
        assert!(mixed[1][1].starts_with(r#"{"event_type":1,"auction":{"id":"#), "{}", mixed[1][1]);
        assert_eq!(["person", "auction", "bid"].map(|kind| (part(kind, 0).len(), part(kind, 1).len())), [(2, 2), (6, 6), (80, 79)]);
        let mut bids: Vec<String> = mixed
            .concat()
            .iter()
            .filter_map(|line| Some(line.strip_prefix(r#"{"event_type":2,"bid":"#)?.strip_suffix('}')?.to_string()))
            .collect();
        let mut bare = [part("bid", 0), part("bid", 1)].concat();
        bids.sort();
        bare.sort();
        assert_eq!(bids, bare);
    }
}
