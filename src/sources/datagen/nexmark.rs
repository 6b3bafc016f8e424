//! Nexmark's auction house as JSON lines: people who join, auctions that they open, bids on them.
//!
//! The stream is the public benchmark's: of 50 events one is a person, three are auctions and 46 are bids; times advance
//! evenly and in order. Event number n depends on n and the rate alone, so the same call gives the same bytes.

use std::io::{self, Write};

use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::Event;

/// The first event's time, milliseconds since 1970: a multiple of ten seconds, so that windows begin with the stream.
const BASE_TIME: u64 = 1_700_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Person,
    Auction,
    Bid,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Person, Kind::Auction, Kind::Bid];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::Auction => "auction",
            Kind::Bid => "bid",
        }
    }

    /// Its place in [`Kind::ALL`]; in mixed files, its `event_type`.
    pub fn number(self) -> usize {
        self as usize
    }
}

/// The stream; `rate` is how many events there are in a second of their own time.
pub struct Nexmark {
    events: EventGenerator,
}

impl Nexmark {
    /// How many events one person, three auctions and their bids are together.
    pub const GROUP: usize = 50;

    pub fn new(rate: usize) -> Nexmark {
        let config = NexmarkConfig {
            base_time: BASE_TIME,
            first_rate: rate,
            next_rate: rate,
            // As the queries spell them.
            us_states: ["AZ", "CA", "ID", "OR", "WA", "WY"].map(String::from).to_vec(),
            ..NexmarkConfig::default()
        };
        Nexmark { events: EventGenerator::new(config) }
    }

    /// Puts the next event's record behind what is in `out`.
    pub fn write(&mut self, out: &mut Vec<u8>) -> io::Result<Kind> {
        let event = self.events.next().ok_or_else(|| io::Error::other("the stream of events has ended"))?;
        match &event {
            Event::Person(person) => {
                write!(out, "{{\"id\":{}", person.id)?;
                text(out, "name", &person.name)?;
                text(out, "emailAddress", &person.email_address)?;
                text(out, "creditCard", &person.credit_card)?;
                text(out, "city", &person.city)?;
                text(out, "state", &person.state)?;
                write!(out, ",\"dateTime\":{}", person.date_time)?;
                text(out, "extra", &person.extra)?;
            }
            Event::Auction(auction) => {
                write!(out, "{{\"id\":{}", auction.id)?;
                text(out, "itemName", &auction.item_name)?;
                text(out, "description", &auction.description)?;
                write!(out, ",\"initialBid\":{},\"reserve\":{}", auction.initial_bid, auction.reserve)?;
                write!(out, ",\"dateTime\":{},\"expires\":{}", auction.date_time, auction.expires)?;
                write!(out, ",\"seller\":{},\"category\":{}", auction.seller, auction.category)?;
                text(out, "extra", &auction.extra)?;
            }
            Event::Bid(bid) => {
                write!(out, "{{\"auction\":{},\"bidder\":{},\"price\":{}", bid.auction, bid.bidder, bid.price)?;
                text(out, "channel", &bid.channel)?;
                text(out, "url", &bid.url)?;
                write!(out, ",\"dateTime\":{}", bid.date_time)?;
                text(out, "extra", &bid.extra)?;
            }
        }
        out.push(b'}');
        Ok(match event {
            Event::Person(_) => Kind::Person,
            Event::Auction(_) => Kind::Auction,
            Event::Bid(_) => Kind::Bid,
        })
    }
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) -> io::Result<()> {
    write!(out, ",\"{name}\":")?;
    Ok(serde_json::to_writer(out, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_each_time_in_the_proportions_and_the_order_of_time() {
        let records = || {
            let mut stream = Nexmark::new(10_000);
            let record = |_| {
                let mut out = Vec::new();
                let kind = stream.write(&mut out).unwrap();
                (kind, serde_json::from_slice::<serde_json::Value>(&out).unwrap(), out)
            };
            (0..1000).map(record).collect::<Vec<_>>()
        };
        let first = records();
        assert_eq!(first.iter().map(|r| &r.2).collect::<Vec<_>>(), records().iter().map(|r| &r.2).collect::<Vec<_>>());
        let count = |kind| first.iter().filter(|r| r.0 == kind).count();
        assert_eq!(Kind::ALL.map(count), [20, 60, 920]);
        let times: Vec<u64> = first.iter().map(|r| r.1["dateTime"].as_u64().unwrap()).collect();
        assert!(times.is_sorted());
        assert_eq!((times[0], times[999]), (BASE_TIME, BASE_TIME + 100));
        let (_, bid, line) = &first[4];
        assert!(line.starts_with(br#"{"auction":"#));
        let names: Vec<&String> = bid.as_object().unwrap().keys().collect();
        assert_eq!(names, ["auction", "bidder", "channel", "dateTime", "extra", "price", "url"]);
        let people: Vec<u64> = first.iter().filter(|r| r.0 == Kind::Person).map(|r| r.1["id"].as_u64().unwrap()).collect();
        assert_eq!(people, (1000..1020).collect::<Vec<_>>());
    }
}
