SELECT p.id, p.name, p.s
FROM (
  SELECT id, name, window_start AS s, window_end AS e
  FROM TUMBLE(person, ts, INTERVAL '10 seconds')
  GROUP BY id, name, window_start, window_end
) p
JOIN (
  SELECT seller, window_start AS s, window_end AS e
  FROM TUMBLE(auction, ts, INTERVAL '10 seconds')
  GROUP BY seller, window_start, window_end
) a ON p.id = a.seller AND p.s = a.s AND p.e = a.e
