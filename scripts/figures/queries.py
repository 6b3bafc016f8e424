"""The Nexmark queries as DuckDB answers them, over views with the same columns as floe's.

Windows are spelled out with time_bucket, whose buckets begin where floe's windows do. floe's own texts are in
examples/nexmark.
"""

COLUMNS = {
    "person": {
        "id": "BIGINT", "name": "VARCHAR", "emailAddress": "VARCHAR", "creditCard": "VARCHAR", "city": "VARCHAR", "state": "VARCHAR",
        "dateTime": "TIMESTAMP", "extra": "VARCHAR",
    },
    "auction": {
        "id": "BIGINT", "itemName": "VARCHAR", "description": "VARCHAR", "initialBid": "BIGINT", "reserve": "BIGINT",
        "dateTime": "TIMESTAMP", "expires": "TIMESTAMP", "seller": "BIGINT", "category": "BIGINT", "extra": "VARCHAR",
    },
    "bid": {
        "auction": "BIGINT", "bidder": "BIGINT", "price": "BIGINT", "channel": "VARCHAR", "url": "VARCHAR", "dateTime": "TIMESTAMP",
        "extra": "VARCHAR",
    },
}

ORDER = ["q0", "q1", "q2", "q3", "q4", "q5", "q7", "q8", "q9", "q12", "q15", "q16", "q17", "q18", "q20", "q22"]

PRICES = """count(*),
  count(*) FILTER (WHERE price < 10000),
  count(*) FILTER (WHERE price BETWEEN 10000 AND 999999),
  count(*) FILTER (WHERE price >= 1000000)"""

PARTIES = ", ".join(
    f"count(DISTINCT {who}), count(DISTINCT {who}) FILTER (WHERE price < 10000), "
    f"count(DISTINCT {who}) FILTER (WHERE price BETWEEN 10000 AND 999999), count(DISTINCT {who}) FILTER (WHERE price >= 1000000)"
    for who in ("bidder", "auction")
)

DAY = "strftime(ts, '%Y-%m-%d')"
TEN = "time_bucket(INTERVAL '10 seconds', ts)"

HOPS = """hops AS (
  SELECT auction, two - to_seconds(2 * back) AS s, sum(n) AS num
  FROM (SELECT auction, time_bucket(INTERVAL '2 seconds', ts) AS two, count(*) AS n FROM bid GROUP BY ALL), range(5) AS r(back)
  GROUP BY ALL)"""

BEST = """SELECT a.id, a.itemName, a.description, a.initialBid, a.reserve, a.ts, a.expires, a.seller, a.category, a.extra,
  b.auction, b.bidder, b.price, b.ts, b.extra
FROM auction a JOIN bid b ON b.auction = a.id AND b.ts >= a.ts AND b.ts <= a.expires
QUALIFY {rank}() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.ts) = 1"""

LAST = """SELECT auction, bidder, price, channel, url, ts, extra FROM bid
QUALIFY {rank}() OVER (PARTITION BY bidder, auction ORDER BY ts DESC) = 1"""

TEXTS = {
    "q0": "SELECT auction, bidder, price, channel, url, ts, extra FROM bid",
    "q1": "SELECT auction, bidder, price * 0.908, ts, extra FROM bid",
    "q2": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q3": "SELECT p.name, p.city, p.state, a.id FROM person p JOIN auction a ON a.seller = p.id "
          "WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')",
    "q4": "SELECT category, avg(highest) FROM (SELECT a.id, a.category, max(b.price) AS highest FROM auction a "
          "JOIN bid b ON b.auction = a.id AND b.ts >= a.ts AND b.ts <= a.expires GROUP BY a.id, a.category) GROUP BY category",
    "q5": f"WITH {HOPS} SELECT auction, num FROM hops QUALIFY rank() OVER (PARTITION BY s ORDER BY num DESC) = 1",
    "q7": f"WITH m AS (SELECT max(price) AS highest, {TEN} AS s FROM bid GROUP BY s) "
          "SELECT b.auction, b.price, b.bidder, b.ts, b.extra FROM bid b JOIN m ON b.price = m.highest "
          "WHERE b.ts >= m.s AND b.ts <= m.s + INTERVAL '10 seconds'",
    "q8": f"SELECT p.id, p.name, p.s FROM (SELECT DISTINCT id, name, {TEN} AS s FROM person) p "
          f"JOIN (SELECT DISTINCT seller, {TEN} AS s FROM auction) a ON a.seller = p.id AND a.s = p.s",
    "q9": BEST.format(rank="row_number"),
    "q12": f"SELECT bidder, count(*), {TEN} AS s, s + INTERVAL '10 seconds' FROM bid GROUP BY bidder, s",
    "q15": f"SELECT {DAY} AS day, {PRICES}, {PARTIES} FROM bid GROUP BY day",
    "q16": f"SELECT channel, {DAY} AS day, max(strftime(ts, '%H:%M')), {PRICES}, {PARTIES} FROM bid GROUP BY channel, day",
    "q17": f"SELECT auction, {DAY} AS day, {PRICES}, min(price), max(price), avg(price), sum(price) FROM bid GROUP BY auction, day",
    "q18": LAST.format(rank="row_number"),
    "q20": "SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.ts, b.extra, a.itemName, a.description, a.initialBid, a.reserve, "
           "a.ts, a.expires, a.seller, a.category, a.extra FROM bid b JOIN auction a ON a.id = b.auction WHERE a.category = 10",
    "q22": "SELECT auction, bidder, price, channel, split_part(url, '/', 4), split_part(url, '/', 5), split_part(url, '/', 6) FROM bid",
}

# Where the query's order leaves ties, any of the first rows is right: all of them, and the columns (from 0) that tell one
# group from another.
TIES = {"q9": (BEST.format(rank="rank"), [0]), "q18": (LAST.format(rank="rank"), [0, 1])}
