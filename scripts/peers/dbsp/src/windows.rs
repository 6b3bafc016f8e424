//! Queries over windows of event time, each known by its start.

use dbsp::ZWeight;
use dbsp::operator::Max;
use dbsp::utils::{Tup2, Tup3, Tup4, Tup5, Tup7, Tup8, Tup10};

use crate::events::{Auction, Bid, Person};
use crate::joins::{Indexed, Zset};

pub const WINDOW: u64 = 10_000;
const SLIDE: u64 = 2_000;

/// q5: a bid is in five windows.
pub fn hot_auctions(bid: &Zset<Bid>) -> Indexed<Tup2<u64, u64>, ZWeight> {
    let counts = bid
        .flat_map_index(|Tup7(auction, _, _, _, _, ts, _)| {
            let (auction, last) = (*auction, ts / SLIDE * SLIDE);
            (0..WINDOW / SLIDE).map(move |back| (Tup2(last - back * SLIDE, auction), ()))
        })
        .weighted_count();
    let most = counts.map_index(|(Tup2(window, _), count)| (*window, *count)).aggregate(Max);
    let by_window = counts.map_index(|(Tup2(window, auction), count)| (*window, Tup2(*count, *auction)));
    by_window.join_index(&most, |window, Tup2(count, auction), most| (count == most).then_some((Tup2(*window, *auction), *count)))
}

/// q7: the end of a window belongs to it here, as in the query's text.
pub fn highest_bids(bid: &Zset<Bid>) -> Indexed<Tup5<u64, u64, u64, u64, String>, ()> {
    let bids = bid.map_index(|Tup7(auction, bidder, price, _, _, ts, extra)| (*price, Tup4(*ts, *auction, *bidder, extra.clone())));
    let highest = bid.map_index(|Tup7(_, _, price, _, _, ts, _)| (ts / WINDOW * WINDOW, *price)).aggregate(Max);
    let by_price = highest.map_index(|(window, price)| (*price, *window));
    bids.join_index(&by_price, |price, Tup4(ts, auction, bidder, extra), window| {
        let inside = window <= ts && *ts <= window + WINDOW;
        inside.then(|| (Tup5(*auction, *price, *bidder, *ts, extra.clone()), ()))
    })
}

/// q8
pub fn new_sellers(person: &Zset<Person>, auction: &Zset<Auction>) -> Zset<Tup3<u64, String, u64>> {
    let persons = person.map(|Tup8(id, name, _, _, _, _, ts, _)| Tup3(*id, ts / WINDOW, name.clone())).distinct();
    let sellers = auction.map(|Tup10(_, _, _, _, _, ts, _, seller, _, _)| Tup2(*seller, ts / WINDOW)).distinct();
    let named = persons.map_index(|Tup3(id, window, name)| (Tup2(*id, *window), name.clone()));
    let selling = sellers.map_index(|row| (row.clone(), ()));
    named.join(&selling, |Tup2(id, window), name, ()| Tup3(*id, name.clone(), window * WINDOW))
}
