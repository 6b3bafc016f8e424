//! Each query as a circuit over the three streams of events. What they compute is in examples/nexmark; times stay numbers.
//!
//! Nothing is forgotten as time goes on: the circuits know of no watermark.

use std::io;

use dbsp::utils::{Tup2, Tup5, Tup7};
use dbsp::{RootCircuit, ZSetHandle};

use crate::answer::Answer;
use crate::events::{Auction, Bid, Person};
use crate::windows::WINDOW;
use crate::{groups, joins, windows};

/// Where rows come in.
pub struct Inputs {
    pub persons: ZSetHandle<Person>,
    pub auctions: ZSetHandle<Auction>,
    pub bids: ZSetHandle<Bid>,
}

pub fn build(circuit: &mut RootCircuit, query: &str, answer: &Answer) -> io::Result<Inputs> {
    let (person, persons) = circuit.add_input_zset::<Person>();
    let (auction, auctions) = circuit.add_input_zset::<Auction>();
    let (bid, bids) = circuit.add_input_zset::<Bid>();
    match query {
        // What reading, and bringing rows into the circuit, costs by itself.
        "input" => {}
        "q0" => answer.take(&bid.map(Bid::clone)),
        // The price in thousandths.
        "q1" => {
            answer.take(&bid.map(|Tup7(auction, bidder, price, _, _, ts, extra)| Tup5(*auction, *bidder, price * 908, *ts, extra.clone())))
        }
        "q2" => answer.take(&bid.flat_map(|Tup7(auction, _, price, ..)| (auction % 123 == 0).then_some(Tup2(*auction, *price)))),
        "q3" => answer.take(&joins::local_sellers(&person, &auction)),
        "q4" => answer.take(&joins::prices_of_categories(&auction, &bid)),
        "q5" => answer.take(&windows::hot_auctions(&bid)),
        "q7" => answer.take(&windows::highest_bids(&bid)),
        "q8" => answer.take(&windows::new_sellers(&person, &auction)),
        "q9" => answer.take(&joins::winning_bids(&auction, &bid)),
        "q12" => answer.take(&bid.map_index(|Tup7(_, bidder, _, _, _, ts, _)| (Tup2(*bidder, ts / WINDOW), ())).weighted_count()),
        "q15" => answer.take(&groups::days(&bid)),
        "q16" => answer.take(&groups::channels(&bid)),
        "q17" => answer.take(&groups::auctions(&bid)),
        "q18" => answer.take(&joins::last_bids(&bid)),
        "q20" => answer.take(&joins::bids_with_auctions(&auction, &bid)),
        "q22" => answer.take(&bid.map(|Tup7(auction, bidder, price, channel, url, ..)| {
            let mut parts = url.split('/').skip(3);
            let mut part = || parts.next().unwrap_or_default().to_string();
            Tup7(*auction, *bidder, *price, channel.clone(), part(), part(), part())
        })),
        _ => return Err(io::Error::other(format!("no such query: {query}"))),
    }
    Ok(Inputs { persons, auctions, bids })
}
