//! Queries that join two kinds of events, or choose the first row of each group.

use dbsp::operator::Max;
use dbsp::utils::{Tup2, Tup3, Tup4, Tup5, Tup7, Tup8, Tup10};
use dbsp::{OrdIndexedZSet, OrdZSet, RootCircuit, Stream, ZWeight};

use crate::events::{Auction, Bid, Person};

pub type Zset<K> = Stream<RootCircuit, OrdZSet<K>>;
pub type Indexed<K, V> = Stream<RootCircuit, OrdIndexedZSet<K, V>>;

/// q3
pub fn local_sellers(person: &Zset<Person>, auction: &Zset<Auction>) -> Zset<Tup4<String, String, String, u64>> {
    let sellers = person.flat_map_index(|Tup8(id, name, _, _, city, state, ..)| {
        matches!(state.as_str(), "OR" | "ID" | "CA").then(|| (*id, Tup3(name.clone(), city.clone(), state.clone())))
    });
    let items = auction.flat_map_index(|row| (row.8 == 10).then_some((row.7, row.0)));
    items.join(&sellers, |_, item, Tup3(name, city, state)| Tup4(name.clone(), city.clone(), state.clone(), *item))
}

/// q4
pub fn prices_of_categories(auction: &Zset<Auction>, bid: &Zset<Bid>) -> Indexed<u64, ZWeight> {
    let auctions = auction.map_index(|Tup10(id, _, _, _, _, ts, expires, _, category, _)| (*id, Tup3(*category, *ts, *expires)));
    let bids = bid.map_index(|Tup7(auction, _, price, _, _, ts, _)| (*auction, Tup2(*price, *ts)));
    let in_time = auctions.join_index(&bids, |id, Tup3(category, opens, closes), Tup2(price, ts)| {
        (opens <= ts && ts <= closes).then_some((Tup2(*id, *category), *price))
    });
    in_time.aggregate(Max).map_index(|(Tup2(_, category), price)| (*category, *price)).average(|price| *price as ZWeight)
}

/// q9: of the highest bids the earliest.
pub fn winning_bids(auction: &Zset<Auction>, bid: &Zset<Bid>) -> Indexed<u64, Tup5<u64, u64, u64, String, Auction>> {
    let auctions = auction.map_index(|row| (row.0, row.clone()));
    let bids = bid.map_index(|Tup7(auction, bidder, price, _, _, ts, extra)| (*auction, Tup4(*price, *ts, *bidder, extra.clone())));
    let in_time = auctions.join_index(&bids, |id, auction, Tup4(price, ts, bidder, extra)| {
        let open = auction.5 <= *ts && *ts <= auction.6;
        open.then(|| (*id, Tup5(*price, u64::MAX - ts, *bidder, extra.clone(), auction.clone())))
    });
    in_time.topk_desc(1)
}

/// q18: ts leads, so the last row of a pair is the greatest.
pub fn last_bids(bid: &Zset<Bid>) -> Indexed<Tup2<u64, u64>, Tup5<u64, u64, String, String, String>> {
    let of_pair = bid.map_index(|Tup7(auction, bidder, price, channel, url, ts, extra)| {
        (Tup2(*bidder, *auction), Tup5(*ts, *price, channel.clone(), url.clone(), extra.clone()))
    });
    of_pair.topk_desc(1)
}

/// q20
pub fn bids_with_auctions(auction: &Zset<Auction>, bid: &Zset<Bid>) -> Zset<Tup2<Bid, Auction>> {
    let auctions = auction.flat_map_index(|row| (row.8 == 10).then(|| (row.0, row.clone())));
    let bids = bid.map_index(|row| (row.0, row.clone()));
    bids.join(&auctions, |_, bid, auction| Tup2(bid.clone(), auction.clone()))
}
