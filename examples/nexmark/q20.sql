SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.ts, b.extra,
       a.itemName, a.description, a.initialBid, a.reserve, a.ts AS a_ts, a.expires, a.seller, a.category, a.extra AS a_extra
FROM bid b
JOIN auction a ON b.auction = a.id
WHERE a.category = 10
