SELECT COUNT(*) FROM orders

SELECT DATE_FORMAT(order_date, '%Y-%m') AS month, SUM(total_amount) AS revenue FROM orders GROUP BY month ORDER BY month

SELECT YEAR(order_date) AS y, MONTH(order_date) AS m, COUNT(*) FROM orders GROUP BY y, m

SELECT order_id FROM orders WHERE order_date >= DATE_SUB(CURDATE(), INTERVAL 30 DAY)

SELECT order_id FROM orders WHERE order_date >= NOW() - INTERVAL 1 MONTH

SELECT DATEDIFF(shipped_date, order_date) AS days, TIMESTAMPDIFF(HOUR, order_date, shipped_date) AS hours FROM orders

SELECT `name`, `price` FROM `products` ORDER BY `price` DESC LIMIT 5

SELECT name FROM products LIMIT 10 OFFSET 5

SELECT name FROM products LIMIT 5, 10

SELECT IFNULL(country, 'none') AS country, COUNT(*) AS n FROM customers GROUP BY country HAVING n > 3

SELECT IF(total_amount > 100, 'large', 'small') AS size, COUNT(*) FROM orders GROUP BY size

SELECT GROUP_CONCAT(DISTINCT name ORDER BY name SEPARATOR '; ') FROM categories

SELECT JSON_EXTRACT(metadata, '$.source'), metadata->>'$.utm.campaign' FROM orders

SELECT o.order_id, t.tag FROM orders o, JSON_TABLE(o.metadata, '$.tags[*]' COLUMNS (tag VARCHAR(50) PATH '$')) AS t

SELECT CONCAT(first_name, ' ', last_name) AS who FROM employees WHERE hire_date BETWEEN '2020-01-01' AND '2020-12-31'

SELECT CONCAT_WS(', ', city, country) FROM customers

SELECT name FROM customers WHERE email REGEXP '^[a-z]+@example\\.com$'

SELECT name FROM customers WHERE name RLIKE 'ski$'

SELECT SUBSTRING_INDEX(email, '@', -1) AS domain, COUNT(*) FROM customers GROUP BY domain

SELECT status, SUM(total_amount) FROM orders GROUP BY status WITH ROLLUP

SELECT name, RANK() OVER (PARTITION BY category_id ORDER BY price DESC) AS place FROM products

WITH RECURSIVE seq AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM seq WHERE n < 12) SELECT n FROM seq

WITH t AS (SELECT customer_id, SUM(total_amount) AS total FROM orders GROUP BY customer_id)
SELECT c.name, t.total FROM t JOIN customers AS c ON c.customer_id = t.customer_id ORDER BY t.total DESC LIMIT 10

SELECT c.name FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id WHERE o.order_id IS NULL

SELECT "double quoted text" AS text, 'DROP TABLE x; -- no' AS danger

SELECT 'it\'s; fine' AS a, 'back\\slash' AS b

SELECT STR_TO_DATE('31.12.2024', '%d.%m.%Y') AS d, LAST_DAY(order_date), DAYNAME(order_date), WEEK(order_date, 1), QUARTER(order_date) FROM orders

SELECT COUNT(DISTINCT customer_id, currency) FROM orders

SELECT SUM(status = 'cancelled') AS cancelled, SUM(status <> 'cancelled') AS others FROM orders

SELECT CASE WHEN paid_on IS NULL THEN 'open' WHEN paid_on > due_on THEN 'late' ELSE 'paid' END AS state, COUNT(*) FROM invoices GROUP BY state

SELECT AVG(amount), STDDEV(amount), VAR_POP(amount), MAX(amount) - MIN(amount) FROM payments

SELECT województwo, SUM(kwota) FROM zamówienia WHERE źródło LIKE '%sprzedaż%' GROUP BY województwo

SELECT `unit price` * quantity FROM `order details` WHERE `group` = 'A'

SELECT order_id FROM orders WHERE FIND_IN_SET(status, 'open,shipped') > 0 ORDER BY FIELD(status, 'open', 'shipped')

SELECT CAST(total_amount AS SIGNED), CONVERT(total_amount, CHAR), ROUND(total_amount, 2), TRUNCATE(total_amount, 1), MOD(order_id, 3) FROM orders

SELECT UNIX_TIMESTAMP(paid_at), FROM_UNIXTIME(1700000000), SEC_TO_TIME(3600), TIME_TO_SEC('01:00:00') FROM payments

SELECT name FROM customers WHERE MATCH(name, company) AGAINST ('Nowak' IN NATURAL LANGUAGE MODE)

SELECT name FROM products WHERE category_id = (SELECT category_id FROM categories WHERE name = 'Books' LIMIT 1)

SELECT DISTINCT city FROM customers ORDER BY city

SELECT 1 UNION SELECT 2 UNION ALL SELECT 3

(SELECT name FROM products ORDER BY price LIMIT 1) UNION (SELECT name FROM products ORDER BY price DESC LIMIT 1)

SELECT DATE(occurred_at) AS d, HOUR(occurred_at) AS h, COUNT(*) FROM events GROUP BY DATE(occurred_at), HOUR(occurred_at)

SELECT d.name, COALESCE(SUM(e.salary), 0) AS salaries FROM departments d LEFT JOIN employees e USING (department_id) GROUP BY d.department_id, d.name

SELECT PERIOD_DIFF(202412, 202401), MAKEDATE(2024, 60), DATE_ADD('2024-01-31', INTERVAL 1 MONTH), EXTRACT(YEAR_MONTH FROM order_date) FROM orders

SELECT LPAD(order_id, 8, '0'), UPPER(status), CHAR_LENGTH(notes), LEFT(notes, 10), LOCATE('x', notes), REPLACE(notes, 'a', 'b'), REVERSE(notes) FROM orders

SELECT order_id, total_amount, SUM(total_amount) OVER (ORDER BY order_date ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM orders

SELECT customer_id, JSON_ARRAYAGG(order_id), JSON_OBJECTAGG(order_id, status) FROM orders GROUP BY customer_id

SELECT e.first_name, m.first_name AS boss FROM employees e INNER JOIN employees m ON m.employee_id = e.manager_id # who reports to whom

SELECT COUNT(*) FROM events WHERE occurred_at <=> NULL OR activity IN ('a', 'b') XOR resource IS NULL
