SELECT b.auction, b.price, b.bidder, b.ts, b.extra
FROM bid b
JOIN (
  SELECT max(price) AS maxprice, window_end AS wend
  FROM TUMBLE(bid, ts, INTERVAL '10 seconds')
  GROUP BY window_start, window_end
) m ON b.price = m.maxprice
WHERE b.ts BETWEEN m.wend - INTERVAL '10 seconds' AND m.wend
