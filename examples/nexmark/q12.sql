SELECT bidder, count(*) AS bid_count, window_start AS s, window_end AS e
FROM TUMBLE(bid, ts, INTERVAL '10 seconds')
GROUP BY bidder, window_start, window_end
