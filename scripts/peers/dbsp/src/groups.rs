//! Queries that count bids by their price, and who takes part in them.

use dbsp::operator::{Max, Min};
use dbsp::utils::{Tup2, Tup3, Tup4, Tup5, Tup7, Tup8};
use dbsp::{DBData, ZWeight};

use crate::events::Bid;
use crate::joins::{Indexed, Zset};

const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// All bids, and those of each of the three classes of prices.
type Bids = Tup4<ZWeight, ZWeight, ZWeight, ZWeight>;
/// The same of bidders, then of auctions.
type Parties = Tup8<ZWeight, ZWeight, ZWeight, ZWeight, ZWeight, ZWeight, ZWeight, ZWeight>;

/// 1, 2 or 3.
fn class(price: u64) -> u8 {
    match price {
        0..10_000 => 1,
        10_000..1_000_000 => 2,
        _ => 3,
    }
}

fn is(one: u8, other: u8) -> ZWeight {
    ZWeight::from(one == other)
}

/// Rows of a group are auction, bidder, price.
fn bids<K: DBData>(rows: &Indexed<K, Tup3<u64, u64, u64>>) -> Indexed<K, Bids> {
    rows.aggregate_linear(|Tup3(_, _, price)| {
        let class = class(*price);
        Tup4(1, is(class, 1), is(class, 2), is(class, 3))
    })
}

/// Four facts about each bid, each kept once, are counted by what they are about.
fn parties<K: DBData>(rows: &Indexed<K, Tup3<u64, u64, u64>>) -> Indexed<K, Parties> {
    let facts = rows.flat_map(|(group, Tup3(auction, bidder, price))| {
        let class = class(*price);
        [(0, bidder), (class, bidder), (4, auction), (4 + class, auction)].map(|(about, who)| Tup3(group.clone(), about, *who))
    });
    let about = facts.distinct().map_index(|Tup3(group, about, _)| (group.clone(), *about));
    about.aggregate_linear(|about| {
        let [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(|each| is(*about, each));
        Tup8(a, b, c, d, e, f, g, h)
    })
}

/// q15
pub fn days(bid: &Zset<Bid>) -> Zset<Tup3<u64, Bids, Parties>> {
    let rows = bid.map_index(|Tup7(auction, bidder, price, _, _, ts, _)| (ts / DAY, Tup3(*auction, *bidder, *price)));
    bids(&rows).join(&parties(&rows), |day, bids, parties| Tup3(*day, bids.clone(), parties.clone()))
}

/// q16
pub fn channels(bid: &Zset<Bid>) -> Zset<Tup4<Tup2<String, u64>, u64, Bids, Parties>> {
    let rows =
        bid.map_index(|Tup7(auction, bidder, price, channel, _, ts, _)| (Tup2(channel.clone(), ts / DAY), Tup3(*auction, *bidder, *price)));
    let last = bid.map_index(|Tup7(_, _, _, channel, _, ts, _)| (Tup2(channel.clone(), ts / DAY), ts % DAY / MINUTE)).aggregate(Max);
    let counts = bids(&rows).join_index(&parties(&rows), |group, bids, parties| Some((group.clone(), Tup2(bids.clone(), parties.clone()))));
    counts.join(&last, |group, Tup2(bids, parties), last| Tup4(group.clone(), *last, bids.clone(), parties.clone()))
}

/// q17: the average is the sum over the count, which both are there.
pub fn auctions(bid: &Zset<Bid>) -> Zset<Tup4<Tup2<u64, u64>, Tup5<ZWeight, ZWeight, ZWeight, ZWeight, ZWeight>, Tup2<u64, u64>, ZWeight>> {
    let rows = bid.map_index(|Tup7(auction, _, price, _, _, ts, _)| (Tup2(*auction, ts / DAY), *price));
    let sums = rows.aggregate_linear(|price| {
        let class = class(*price);
        Tup5(1, is(class, 1), is(class, 2), is(class, 3), *price as ZWeight)
    });
    let ends = rows.aggregate(Min).join_index(&rows.aggregate(Max), |group, least, most| Some((group.clone(), Tup2(*least, *most))));
    sums.join(&ends, |group, sums, ends| Tup4(group.clone(), sums.clone(), ends.clone(), sums.4 / sums.0))
}
