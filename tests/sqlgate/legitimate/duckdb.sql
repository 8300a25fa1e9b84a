SELECT count(*) FROM orders

FROM orders SELECT status, count(*) AS n GROUP BY ALL ORDER BY n DESC

FROM customers LIMIT 5

SELECT date_trunc('month', order_date) AS month, sum(total_amount) AS revenue FROM orders GROUP BY ALL ORDER BY ALL

SELECT * EXCLUDE (notes, metadata) FROM orders LIMIT 20

SELECT * REPLACE (upper(name) AS name) FROM customers

SELECT name, price FROM products QUALIFY row_number() OVER (PARTITION BY category_id ORDER BY price DESC) <= 3

SELECT customer_id, max_by(order_id, order_date) AS latest, arg_min(order_id, order_date) FROM orders GROUP BY customer_id

SELECT median(total_amount), quantile_cont(total_amount, 0.9), approx_count_distinct(customer_id), mode(status) FROM orders

SELECT list(name ORDER BY price) AS names, string_agg(name, ', ') FROM products GROUP BY category_id

SELECT unnest(tags) AS tag, name FROM products

SELECT list_transform([1, 2, 3], x -> x * 2) AS doubled

SELECT list_filter(tags, t -> t <> 'old') FROM products

SELECT attributes.colour FROM products

SELECT {'name': name, 'city': city} AS person FROM customers

SELECT * FROM range(1, 10) AS r(n)

SELECT r.day, count(o.order_id) FROM generate_series(DATE '2024-01-01', DATE '2024-01-31', INTERVAL 1 DAY) AS r(day) LEFT JOIN orders o ON o.order_date = r.day GROUP BY r.day

SELECT o.order_id FROM orders o ASOF JOIN targets t ON o.order_id >= t.year

SELECT c.name FROM customers c SEMI JOIN orders o ON o.customer_id = c.customer_id

SELECT c.name FROM customers c ANTI JOIN orders o USING (customer_id)

SELECT region, quarter, sum(amount) FROM targets GROUP BY GROUPING SETS ((region), (quarter), ())

SELECT date_diff('day', order_date, shipped_date) AS days, datediff('hour', order_date, shipped_date) FROM orders

SELECT strftime(order_date, '%Y-%m') AS month, dayname(order_date), monthname(order_date), week(order_date) FROM orders

SELECT metadata->>'$.source' AS source, json_extract_string(metadata, '$.utm.campaign') FROM orders

SELECT total_amount::DECIMAL(10, 2) AS amount, TRY_CAST(notes AS INTEGER) FROM orders

SELECT regexp_extract(email, '@(.*)$', 1) AS domain, regexp_matches(name, '^A'), string_split(email, '@')[2] FROM customers

SELECT name[1:3] AS short, len(name), contains(name, 'a'), starts_with(name, 'B') FROM customers

SELECT total_amount AS t, t * 1.23 AS gross FROM orders

SELECT name AS n FROM customers WHERE n ILIKE 'a%'

SELECT count(*) FILTER (WHERE status = 'open') AS open_orders FROM orders

WITH m AS (SELECT month(order_date) AS m, sum(total_amount) AS s FROM orders GROUP BY 1) SELECT m, s, s - lag(s) OVER (ORDER BY m) AS change FROM m

WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t

SELECT * FROM orders PIVOT (sum(total_amount) FOR status IN ('open', 'closed') GROUP BY customer_id)

SELECT * FROM targets UNPIVOT (v FOR k IN (year, quarter))

SELECT 'COPY x TO ''y''' AS text, 'https://example.com/a.csv' AS address

SELECT województwo, sum(kwota) AS suma FROM zamówienia GROUP BY województwo

SELECT "unit price" FROM "order details" WHERE "group" IS NOT NULL

SELECT time_bucket(INTERVAL '15 minutes', occurred_at) AS bucket, count(*) FROM events GROUP BY bucket

SELECT histogram(status) FROM orders

SELECT coalesce(company, name), nullif(country, ''), ifnull(city, '?'), greatest(1, 2) FROM customers

SELECT epoch(occurred_at), make_date(2024, 1, 31), last_day(occurred_at), age(occurred_at) FROM events

SELECT customer_id, sum(total_amount) AS s FROM orders GROUP BY customer_id HAVING s > 100

SELECT name FROM customers UNION BY NAME SELECT name FROM products

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(id, label)

SELECT name FROM customers USING SAMPLE 10 PERCENT

SELECT rowid, name FROM customers

SELECT count(DISTINCT customer_id), bool_or(total_amount > 10), stddev(total_amount), corr(order_id, total_amount) FROM orders

SELECT * FROM (PIVOT targets ON quarter USING sum(amount) GROUP BY region)

SELECT format('{:>10} in 2024: {:.2f} {{x}}', status, SUM(total_amount)) AS line, RPAD(status, 20, '.') FROM orders GROUP BY status
