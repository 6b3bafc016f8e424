SELECT auction, bidder, price, channel, url, ts, extra
FROM (
  SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY ts DESC) AS rn
  FROM bid
) t
WHERE rn <= 1
