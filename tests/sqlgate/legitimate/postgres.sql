SELECT COUNT(*) FROM customers

SELECT status, COUNT(*) AS orders, SUM(total_amount) AS revenue FROM orders GROUP BY status ORDER BY revenue DESC

SELECT date_trunc('month', order_date) AS month, SUM(total_amount) AS revenue
FROM orders
WHERE order_date >= DATE '2024-01-01' AND order_date < DATE '2025-01-01'
GROUP BY 1
ORDER BY 1

SELECT c.name, o.total_amount FROM customers c JOIN orders o ON o.customer_id = c.customer_id WHERE o.total_amount > 1000 LIMIT 10

SELECT DISTINCT ON (customer_id) customer_id, order_id, order_date FROM orders ORDER BY customer_id, order_date DESC

SELECT COUNT(*) FILTER (WHERE status = 'shipped') AS shipped, COUNT(*) FILTER (WHERE status = 'cancelled') AS cancelled FROM orders

SELECT region, quarter, SUM(amount) FROM targets GROUP BY GROUPING SETS ((region, quarter), (region), ())

SELECT region, quarter, SUM(amount), GROUPING(region) AS total FROM targets GROUP BY ROLLUP (region, quarter)

SELECT year, region, SUM(amount) FROM targets GROUP BY CUBE (year, region) HAVING SUM(amount) > 0

WITH monthly AS (
    SELECT date_trunc('month', order_date)::date AS month, SUM(total_amount) AS revenue FROM orders GROUP BY 1
)
SELECT month, revenue, LAG(revenue) OVER (ORDER BY month) AS before,
       ROUND(100.0 * (revenue - LAG(revenue) OVER (ORDER BY month)) / NULLIF(LAG(revenue) OVER (ORDER BY month), 0), 1) AS growth
FROM monthly
ORDER BY month

SELECT employee_id, salary, RANK() OVER (PARTITION BY department_id ORDER BY salary DESC) AS place FROM employees

SELECT order_date, SUM(total_amount) OVER (ORDER BY order_date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS last_seven FROM orders

SELECT order_date, AVG(total_amount) OVER w AS mean, MAX(total_amount) OVER w AS most
FROM orders
WINDOW w AS (ORDER BY order_date RANGE BETWEEN INTERVAL '30 days' PRECEDING AND CURRENT ROW)

WITH RECURSIVE chain AS (
    SELECT employee_id, manager_id, first_name, 1 AS depth FROM employees WHERE manager_id IS NULL
    UNION ALL
    SELECT e.employee_id, e.manager_id, e.first_name, c.depth + 1 FROM employees e JOIN chain c ON e.manager_id = c.employee_id
)
SELECT depth, COUNT(*) FROM chain GROUP BY depth ORDER BY depth

SELECT c.name, latest.order_id, latest.total_amount
FROM customers c
CROSS JOIN LATERAL (SELECT o.order_id, o.total_amount FROM orders o WHERE o.customer_id = c.customer_id ORDER BY o.order_date DESC LIMIT 3) AS latest

SELECT c.name, n.orders FROM customers c LEFT JOIN LATERAL (SELECT COUNT(*) AS orders FROM orders o WHERE o.customer_id = c.customer_id) n ON true

SELECT name FROM customers WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.customer_id = customers.customer_id)

SELECT name FROM products WHERE price > (SELECT AVG(price) FROM products)

SELECT name, price FROM products p WHERE price > ALL (SELECT price FROM products x WHERE x.category_id = p.category_id AND x.product_id <> p.product_id)

SELECT metadata ->> 'source' AS source, COUNT(*) FROM orders GROUP BY metadata ->> 'source'

SELECT order_id, metadata #>> '{utm,campaign}' AS campaign FROM orders WHERE metadata @> '{"vip": true}'

SELECT order_id, jsonb_array_elements_text(metadata -> 'tags') AS tag FROM orders

SELECT p.name, a.key, a.value FROM products p, jsonb_each_text(p.attributes) AS a(key, value)

SELECT name, tags[1] AS first_tag, array_length(tags, 1) AS how_many FROM products WHERE 'sale' = ANY(tags)

SELECT category_id, (ARRAY_AGG(name ORDER BY price DESC))[1] AS dearest FROM products GROUP BY category_id

SELECT name FROM products WHERE tags && ARRAY['new', 'sale']

SELECT t.tag, COUNT(*) FROM products p CROSS JOIN unnest(p.tags) AS t(tag) GROUP BY t.tag ORDER BY 2 DESC

SELECT string_agg(name, ', ' ORDER BY name) FROM categories WHERE parent_id IS NULL

SELECT d.day::date, COALESCE(SUM(o.total_amount), 0) AS revenue
FROM generate_series(DATE '2024-01-01', DATE '2024-01-31', INTERVAL '1 day') AS d(day)
LEFT JOIN orders o ON o.order_date::date = d.day
GROUP BY 1
ORDER BY 1

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total_amount) AS median FROM orders

SELECT mode() WITHIN GROUP (ORDER BY channel) FROM orders

SELECT EXTRACT(YEAR FROM order_date) AS year, EXTRACT(QUARTER FROM order_date) AS quarter, COUNT(*) FROM orders GROUP BY 1, 2

SELECT to_char(order_date, 'YYYY-MM-DD HH24:MI:SS') FROM orders WHERE order_date > now() - INTERVAL '3 months'

SELECT AGE(shipped_date, order_date) AS took FROM orders WHERE shipped_date IS NOT NULL

SELECT order_id FROM orders WHERE order_date BETWEEN CURRENT_DATE - 7 AND CURRENT_DATE

SELECT (shipped_date - order_date) AS days FROM orders

SELECT EXTRACT(EPOCH FROM (e2.occurred_at - e1.occurred_at)) / 3600 AS hours
FROM events e1 JOIN events e2 USING (case_id)
WHERE e1.activity = 'opened' AND e2.activity = 'closed'

SELECT notes FROM orders WHERE notes ILIKE '%delete from%' OR notes = 'DROP TABLE x; --'

SELECT 'SELECT ... INTO' AS example, COUNT(*) AS "update" FROM orders

SELECT 'it''s; done' AS said FROM orders

SELECT $$a;b 'c'$$ AS quoted

SELECT E'line one\nline two' AS lines, E'it\'s'

SELECT name FROM customers WHERE email ~* '^[a-z]+\d+@example\.(com|pl)$'

SELECT regexp_replace(name, '\s+', ' ', 'g') AS name, split_part(email, '@', 2) AS domain FROM customers

SELECT województwo, SUM(kwota) AS suma FROM zamówienia WHERE źródło = 'sklep „Łódź”' GROUP BY województwo ORDER BY suma DESC

SELECT k.nazwisko, k.imię, COUNT(z.id) AS liczba_zamówień
FROM klienci k LEFT JOIN zamówienia z ON z.klient_id = k.id
WHERE k.miasto IN ('Kraków', 'Gdańsk', 'Łódź')
GROUP BY k.nazwisko, k.imię

SELECT "unit price" * quantity AS value, "group" FROM "order details" ORDER BY "group"

SELECT CASE WHEN total_amount >= 1000 THEN 'large' WHEN total_amount >= 100 THEN 'middle' ELSE 'small' END AS size, COUNT(*)
FROM orders GROUP BY 1

SELECT customer_id FROM orders EXCEPT SELECT customer_id FROM customers WHERE country = 'PL'

(SELECT name FROM products ORDER BY price DESC LIMIT 3) UNION ALL (SELECT name FROM products ORDER BY price LIMIT 3)

SELECT x.kind, x.n FROM (VALUES ('a', 1), ('b', 2)) AS x(kind, n)

SELECT COALESCE(c.country, 'unknown') AS country, ROUND(AVG(o.total_amount)::numeric, 2) AS mean
FROM orders o LEFT JOIN customers c ON c.customer_id = o.customer_id
GROUP BY c.country
HAVING COUNT(*) > 5

SELECT order_id FROM orders o WHERE (o.customer_id, o.order_date) IN (SELECT customer_id, MAX(order_date) FROM orders GROUP BY customer_id)

SELECT name, width_bucket(price, 0, 1000, 10) AS bucket FROM products

WITH ranked AS (SELECT p.*, ROW_NUMBER() OVER (PARTITION BY category_id ORDER BY price DESC) AS rn FROM products p)
SELECT r.name, c.name AS category FROM ranked r JOIN categories c USING (category_id) WHERE r.rn <= 3

WITH first_orders AS (
    SELECT customer_id, MIN(date_trunc('month', order_date)) AS cohort FROM orders GROUP BY customer_id
), activity AS (
    SELECT f.cohort, date_trunc('month', o.order_date) AS month, COUNT(DISTINCT o.customer_id) AS buyers
    FROM orders o JOIN first_orders f ON f.customer_id = o.customer_id
    GROUP BY f.cohort, date_trunc('month', o.order_date)
)
SELECT cohort, month, buyers, FIRST_VALUE(buyers) OVER (PARTITION BY cohort ORDER BY month) AS began_with FROM activity

SELECT activity, COUNT(*) AS n, AVG(duration_s) AS mean, STDDEV(duration_s) AS deviation, MIN(occurred_at), MAX(occurred_at)
FROM events GROUP BY activity

SELECT a.activity AS "from", b.activity AS "to", COUNT(*)
FROM (SELECT case_id, activity, LEAD(event_id) OVER (PARTITION BY case_id ORDER BY occurred_at) AS next_id FROM events) a
JOIN events b ON b.event_id = a.next_id
GROUP BY 1, 2

SELECT i.invoice_id, i.amount - COALESCE(SUM(p.amount), 0) AS owed
FROM invoices i LEFT JOIN payments p ON p.invoice_id = i.invoice_id
WHERE i.paid_on IS NULL AND i.due_on < CURRENT_DATE
GROUP BY i.invoice_id, i.amount

SELECT w.name, SUM(s.quantity) AS pieces FROM stock s NATURAL JOIN warehouses w GROUP BY w.name

SELECT to_jsonb(c) FROM customers c LIMIT 1

SELECT json_build_object('name', name, 'city', city) FROM customers

SELECT json_agg(x) FROM (SELECT name, price FROM products) x

SELECT md5(email) AS hashed FROM customers

SELECT name FROM customers TABLESAMPLE SYSTEM (10)

SELECT created_at AT TIME ZONE 'Europe/Warsaw' AS local_time FROM customers

SELECT make_date(year::int, quarter::int * 3, 1) AS ends FROM targets

SELECT order_id FROM orders ORDER BY total_amount DESC NULLS LAST OFFSET 20 FETCH FIRST 10 ROWS ONLY

SELECT corr(quantity, unit_price), regr_slope(quantity, unit_price) FROM order_items

SELECT -- how many
  COUNT(*) /* all of them */ AS n
FROM orders -- done

SELECT to_tsvector('simple', notes) @@ plainto_tsquery('simple', 'late delivery') AS hit FROM orders

SELECT o.order_id FROM public.orders AS o WHERE o.status <> 'cancelled'

SELECT LOWER(TRIM(BOTH ' ' FROM name)) AS n, LEFT(name, 3), LENGTH(name), POSITION('a' IN name), SUBSTRING(name FROM 2 FOR 3) FROM customers

SELECT greatest(price, cost), least(price, cost), abs(price - cost), price % 2, power(price, 2), sqrt(price), ceil(price), floor(price) FROM products

SELECT bool_and(is_active), bool_or(is_active), every(is_active) FROM customers

SELECT country, array_agg(DISTINCT segment) AS segments, COUNT(DISTINCT city) FROM customers GROUP BY country

SELECT q.n, q.n * 2 FROM (SELECT COUNT(*) AS n FROM orders) q WHERE q.n IS DISTINCT FROM 0

SELECT name FROM customers WHERE (created_at, created_at) OVERLAPS (DATE '2024-01-01', DATE '2024-12-31')

SELECT ntile(4) OVER (ORDER BY total_amount) AS quartile, cume_dist() OVER (ORDER BY total_amount), percent_rank() OVER (ORDER BY total_amount) FROM orders

SELECT format('%s: %10s (%1$s, 100%%)', status, COUNT(*)) AS line, LPAD(order_id::text, GREATEST(8, LENGTH(order_id::text)), '0') FROM orders GROUP BY order_id, status
