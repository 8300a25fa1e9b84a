SELECT COUNT(*) FROM orders

SELECT strftime('%Y-%m', order_date) AS month, SUM(total_amount) FROM orders GROUP BY month ORDER BY month

SELECT order_id FROM orders WHERE order_date >= date('now', '-1 month')

SELECT order_id FROM orders WHERE date(order_date) BETWEEN date('now', 'start of month') AND date('now', 'start of month', '+1 month', '-1 day')

SELECT julianday(shipped_date) - julianday(order_date) AS days FROM orders

SELECT CAST(strftime('%Y', order_date) AS INTEGER) AS year, COUNT(*) FROM orders GROUP BY 1

SELECT datetime(occurred_at, 'unixepoch') FROM events

SELECT name, price FROM products ORDER BY price DESC LIMIT 5

SELECT name FROM products ORDER BY price LIMIT 10 OFFSET 20

SELECT name FROM products ORDER BY price LIMIT 20, 10

SELECT c.name, COUNT(o.order_id) AS n FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id GROUP BY c.customer_id HAVING n > 2

SELECT group_concat(name, '; ') FROM products WHERE category_id = 3

SELECT ifnull(country, 'none') AS country, total(is_active) FROM customers GROUP BY 1

SELECT iif(total_amount > 100, 'large', 'small') AS size, COUNT(*) FROM orders GROUP BY size

SELECT json_extract(metadata, '$.source') AS source FROM orders

SELECT metadata ->> '$.source' AS source, metadata -> 'tags' FROM orders

SELECT o.order_id, t.value FROM orders o, json_each(o.metadata, '$.tags') t

SELECT printf('%.2f', AVG(total_amount)) FROM orders

SELECT substr(name, 1, 3), instr(name, 'a'), length(name), upper(name), trim(name), replace(name, 'a', 'b') FROM customers

SELECT name FROM customers WHERE name LIKE 'A%' ESCAPE '\' OR name GLOB 'B*'

SELECT name FROM customers WHERE email IS NOT NULL AND is_active = 1

WITH RECURSIVE days(day) AS (SELECT date('2024-01-01') UNION ALL SELECT date(day, '+1 day') FROM days WHERE day < '2024-01-31')
SELECT d.day, COUNT(o.order_id) FROM days d LEFT JOIN orders o ON date(o.order_date) = d.day GROUP BY d.day

WITH ranked AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY category_id ORDER BY price DESC) AS rn FROM products)
SELECT name, price FROM ranked WHERE rn = 1

SELECT order_date, SUM(total_amount) OVER (ORDER BY order_date) AS running FROM orders

SELECT activity, LEAD(activity) OVER (PARTITION BY case_id ORDER BY occurred_at) AS next FROM events

SELECT COUNT(*) FILTER (WHERE status = 'cancelled') * 100.0 / COUNT(*) AS share FROM orders

SELECT customer_id FROM orders INTERSECT SELECT customer_id FROM customers WHERE country = 'PL'

SELECT 1 AS kind, COUNT(*) FROM orders UNION ALL SELECT 2, COUNT(*) FROM invoices ORDER BY kind

SELECT 'DELETE FROM orders; DROP TABLE x' AS text, '--' AS dashes, '/*' AS slash

SELECT "unit price", "group" FROM "order details" WHERE "group" = 'a'

SELECT [unit price] FROM [order details]

SELECT `unit price` FROM `order details`

SELECT nazwisko || ' ' || imię AS kto FROM klienci WHERE miasto = 'Wrocław' ORDER BY nazwisko COLLATE NOCASE

SELECT źródło, ROUND(AVG(kwota), 2) AS średnia FROM zamówienia GROUP BY źródło

SELECT name FROM products WHERE product_id IN (SELECT product_id FROM order_items GROUP BY product_id ORDER BY SUM(quantity) DESC LIMIT 3)

SELECT CASE WHEN total_amount < 50 THEN 'S' WHEN total_amount < 500 THEN 'M' ELSE 'L' END AS size, COUNT(*) AS n FROM orders GROUP BY size ORDER BY n DESC

SELECT DISTINCT city FROM customers WHERE country <> 'PL' ORDER BY city

SELECT MAX(order_date), MIN(order_date), COUNT(DISTINCT customer_id) FROM orders

SELECT p.name, SUM(i.quantity * i.unit_price * (1 - i.discount)) AS revenue
FROM order_items AS i INNER JOIN products AS p ON p.product_id = i.product_id INNER JOIN orders AS o ON o.order_id = i.order_id
WHERE o.status != 'cancelled' AND strftime('%Y', o.order_date) = '2024'
GROUP BY p.product_id
ORDER BY revenue DESC
LIMIT 10

SELECT a.name AS category, b.name AS parent FROM categories a LEFT JOIN categories b ON b.category_id = a.parent_id

SELECT (SELECT COUNT(*) FROM orders) AS orders, (SELECT COUNT(*) FROM customers) AS customers

SELECT rowid, name FROM customers WHERE rowid < 10

SELECT coalesce(NULLIF(company, ''), name) AS label FROM customers

SELECT CAST(SUM(total_amount) AS REAL) / COUNT(*) AS mean, abs(-1), round(2.567, 1), max(1, 2), typeof(1) FROM orders

SELECT name FROM customers WHERE (country, city) IN (SELECT country, city FROM customers GROUP BY country, city HAVING COUNT(*) > 1)

SELECT EXISTS (SELECT 1 FROM orders WHERE total_amount > 100000) AS any_large

SELECT ROUND(100.0 * SUM(CASE WHEN paid_on <= due_on THEN 1 ELSE 0 END) / COUNT(*), 1) AS on_time FROM invoices

SELECT unixepoch(paid_at) - unixepoch('2024-01-01') FROM payments

SELECT first_value(name) OVER (PARTITION BY category_id ORDER BY price) AS cheapest, ntile(4) OVER (ORDER BY price) FROM products

SELECT printf('%08.3f %-20s %d%% of 2024 * 2', SUM(total_amount), status, COUNT(*)) AS line FROM orders GROUP BY status

SELECT format('{"year": 2024, "orders": {"%s": %d}}', status, COUNT(*)) AS line FROM orders GROUP BY status
