//! The input: JSON lines of all three kinds of events, one thread for each file that parses them into batches of rows.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use dbsp::ZWeight;
use dbsp::utils::{Tup2, Tup7, Tup8, Tup10};
use serde::Deserialize;

/// id, name, emailAddress, creditCard, city, state, ts, extra; times are milliseconds since 1970.
pub type Person = Tup8<u64, String, String, String, String, String, u64, String>;
/// id, itemName, description, initialBid, reserve, ts, expires, seller, category, extra.
pub type Auction = Tup10<u64, String, String, u64, u64, u64, u64, u64, u64, String>;
/// auction, bidder, price, channel, url, ts, extra.
pub type Bid = Tup7<u64, u64, u64, String, String, u64, String>;

/// One line: the field of its kind is there.
#[derive(Deserialize)]
struct Event {
    person: Option<PersonFields>,
    auction: Option<AuctionFields>,
    bid: Option<BidFields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersonFields {
    id: u64,
    name: String,
    email_address: String,
    credit_card: String,
    city: String,
    state: String,
    date_time: u64,
    extra: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuctionFields {
    id: u64,
    item_name: String,
    description: String,
    initial_bid: u64,
    reserve: u64,
    date_time: u64,
    expires: u64,
    seller: u64,
    category: u64,
    extra: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BidFields {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: String,
    url: String,
    date_time: u64,
    extra: String,
}

/// Rows of some lines that follow each other in a file, each to be inserted once.
#[derive(Default)]
pub struct Batch {
    pub events: usize,
    pub persons: Vec<Tup2<Person, ZWeight>>,
    pub auctions: Vec<Tup2<Auction, ZWeight>>,
    pub bids: Vec<Tup2<Bid, ZWeight>>,
}

impl Batch {
    fn add(&mut self, line: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let event: Event = serde_json::from_slice(line)?;
        if let Some(b) = event.bid {
            self.bids.push(Tup2(Tup7(b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra), 1));
        } else if let Some(a) = event.auction {
            let row =
                Tup10(a.id, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time, a.expires, a.seller, a.category, a.extra);
            self.auctions.push(Tup2(row, 1));
        } else if let Some(p) = event.person {
            self.persons.push(Tup2(Tup8(p.id, p.name, p.email_address, p.credit_card, p.city, p.state, p.date_time, p.extra), 1));
        } else {
            return Err("a line without an event".into());
        }
        self.events += 1;
        Ok(())
    }
}

type Parsed = Result<(), Box<dyn Error + Send + Sync>>;

/// A file that is being parsed.
pub struct Reader {
    batches: Receiver<Batch>,
    thread: JoinHandle<Parsed>,
}

impl Reader {
    fn start(path: PathBuf, lines: usize) -> Reader {
        let (send, batches) = sync_channel(2);
        Reader { batches, thread: std::thread::spawn(move || parse(&path, lines, &send)) }
    }

    /// The next batch; nothing at the end of the file.
    pub fn next(&self) -> Option<Batch> {
        self.batches.recv().ok()
    }

    /// What went wrong, if something did.
    pub fn finish(self) -> Parsed {
        self.thread.join().map_err(|_| "a parser panicked")?
    }
}

fn parse(path: &Path, lines: usize, send: &SyncSender<Batch>) -> Parsed {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut line, mut batch) = (Vec::new(), Batch::default());
    while file.read_until(b'\n', &mut line)? > 0 {
        batch.add(&line)?;
        line.clear();
        if batch.events == lines {
            send.send(std::mem::take(&mut batch))?;
        }
    }
    Ok(send.send(batch)?)
}

/// Starts a reader for each file of `data`; together they give `lines` lines a round, so that event time goes on evenly.
pub fn readers(data: &Path, lines: usize) -> Result<Vec<Reader>, std::io::Error> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(data.join("mixed"))? {
        files.push(entry?.path());
    }
    files.sort();
    let each = (lines / files.len().max(1)).max(1);
    Ok(files.into_iter().map(|path| Reader::start(path, each)).collect())
}
