SELECT COUNT(*) FROM orders

SELECT name FROM customers FETCH FIRST 10 ROWS ONLY

SELECT name, price FROM products ORDER BY price DESC FETCH NEXT 5 ROWS ONLY

SELECT name FROM products ORDER BY price DESC FETCH FIRST 3 ROWS WITH TIES

SELECT name FROM products ORDER BY price FETCH FIRST 10 PERCENT ROWS ONLY

SELECT order_id FROM orders ORDER BY order_date OFFSET 10 ROWS FETCH NEXT 10 ROWS ONLY

SELECT * FROM (SELECT order_id, total_amount FROM orders ORDER BY total_amount DESC) WHERE ROWNUM <= 10

SELECT TO_CHAR(occurred_at, 'HH24:MI:SS') AS at FROM events

SELECT TO_CHAR(order_date, 'YYYY-MM') AS month, SUM(total_amount) AS revenue FROM orders GROUP BY TO_CHAR(order_date, 'YYYY-MM') ORDER BY month

SELECT TO_CHAR(total_amount, 'FM999G999D00', 'NLS_NUMERIC_CHARACTERS='', ''') AS amount FROM orders

SELECT order_id FROM orders WHERE order_date >= TO_DATE('2024-01-01', 'YYYY-MM-DD')

SELECT order_id FROM orders WHERE order_date >= DATE '2024-01-01' AND order_date < ADD_MONTHS(DATE '2024-01-01', 3)

SELECT order_id FROM orders WHERE order_date >= TRUNC(SYSDATE, 'MM')

SELECT order_id FROM orders WHERE order_date > SYSDATE - 30

SELECT order_id FROM orders WHERE order_date > SYSTIMESTAMP - INTERVAL '1' DAY

SELECT TRUNC(order_date, 'Q') AS quarter, COUNT(*) FROM orders GROUP BY TRUNC(order_date, 'Q')

SELECT EXTRACT(YEAR FROM order_date) AS year, EXTRACT(MONTH FROM order_date) AS month, COUNT(*) FROM orders GROUP BY EXTRACT(YEAR FROM order_date), EXTRACT(MONTH FROM order_date)

SELECT MONTHS_BETWEEN(SYSDATE, hire_date) / 12 AS years FROM employees

SELECT LAST_DAY(order_date), NEXT_DAY(order_date, 'MONDAY') FROM orders

SELECT LPAD(' ', 2 * (LEVEL - 1)) || first_name AS tree FROM employees START WITH manager_id IS NULL CONNECT BY PRIOR employee_id = manager_id

SELECT SYS_CONNECT_BY_PATH(last_name, '/') AS path, CONNECT_BY_ISLEAF AS leaf
FROM employees START WITH manager_id IS NULL CONNECT BY NOCYCLE PRIOR employee_id = manager_id ORDER SIBLINGS BY last_name

SELECT CONNECT_BY_ROOT last_name AS boss, last_name FROM employees CONNECT BY PRIOR employee_id = manager_id

SELECT ADD_MONTHS(DATE '2024-01-01', LEVEL - 1) AS month FROM dual CONNECT BY LEVEL <= 12

SELECT * FROM (SELECT region, quarter, amount FROM targets) PIVOT (SUM(amount) FOR quarter IN (1 AS q1, 2 AS q2, 3 AS q3, 4 AS q4))

SELECT * FROM (SELECT name, price, cost FROM products) UNPIVOT (amount FOR kind IN (price AS 'price', cost AS 'cost'))

SELECT department_id, LISTAGG(last_name, ', ') WITHIN GROUP (ORDER BY last_name) AS people FROM employees GROUP BY department_id

SELECT NVL(country, 'none'), NVL2(email, 1, 0), COALESCE(company, name) FROM customers

SELECT DECODE(status, 'N', 'new', 'S', 'shipped', 'other') AS status, COUNT(*) FROM orders GROUP BY DECODE(status, 'N', 'new', 'S', 'shipped', 'other')

SELECT c.name, o.total_amount FROM customers c, orders o WHERE c.customer_id = o.customer_id(+)

SELECT c.name, SUM(o.total_amount) AS total FROM customers c INNER JOIN orders o ON o.customer_id = c.customer_id GROUP BY c.name HAVING SUM(o.total_amount) > 10000

SELECT employee_id, salary, DENSE_RANK() OVER (PARTITION BY department_id ORDER BY salary DESC NULLS LAST) AS place FROM employees

SELECT RATIO_TO_REPORT(total_amount) OVER () AS share FROM orders

SELECT MAX(salary) KEEP (DENSE_RANK FIRST ORDER BY hire_date) AS first_salary FROM employees

SELECT order_date, SUM(total_amount) OVER (ORDER BY order_date ROWS UNBOUNDED PRECEDING) AS running FROM orders

SELECT LAG(total_amount, 1, 0) OVER (PARTITION BY customer_id ORDER BY order_date) AS before FROM orders

SELECT MEDIAN(salary), STATS_MODE(department_id), STDDEV(salary), VARIANCE(salary) FROM employees

SELECT PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY total_amount) FROM orders

WITH totals AS (SELECT customer_id, SUM(total_amount) AS total FROM orders GROUP BY customer_id)
SELECT c.name, t.total FROM totals t JOIN customers c ON c.customer_id = t.customer_id ORDER BY t.total DESC

WITH chain (id, boss, depth) AS (
    SELECT employee_id, manager_id, 1 FROM employees WHERE manager_id IS NULL
    UNION ALL
    SELECT e.employee_id, e.manager_id, c.depth + 1 FROM employees e JOIN chain c ON e.manager_id = c.id
)
SELECT depth, COUNT(*) FROM chain GROUP BY depth

SELECT customer_id FROM customers MINUS SELECT customer_id FROM orders

SELECT name FROM customers WHERE REGEXP_LIKE(email, '^[a-z]+@example\.com$', 'i')

SELECT REGEXP_SUBSTR(email, '[^@]+', 1, 2) AS domain, REGEXP_REPLACE(name, '\s+', ' '), REGEXP_COUNT(name, 'a') FROM customers

SELECT SUBSTR(name, 1, 3), INSTR(name, 'a'), LENGTH(name), UPPER(name), INITCAP(name), RPAD(name, 20, '.'), TRIM(name) FROM customers

SELECT 'DROP TABLE x; DELETE FROM y' AS text FROM dual

SELECT q'[it's a "quote"; done]' AS text FROM dual

SELECT 'Zażółć gęślą jaźń' AS pangram FROM dual

SELECT województwo, COUNT(*) AS liczba FROM zamówienia WHERE data_zamówienia >= DATE '2024-01-01' GROUP BY województwo

SELECT nazwisko, imię FROM klienci WHERE miasto = 'Łódź' ORDER BY NLSSORT(nazwisko, 'NLS_SORT=POLISH')

SELECT "UNIT PRICE" FROM (SELECT 1 AS "UNIT PRICE" FROM dual)

SELECT JSON_VALUE(metadata, '$.source') AS source, COUNT(*) FROM orders GROUP BY JSON_VALUE(metadata, '$.source')

SELECT o.order_id, j.tag FROM orders o, JSON_TABLE(o.metadata, '$.tags[*]' COLUMNS (tag VARCHAR2(50) PATH '$')) j

SELECT JSON_OBJECT('name' VALUE name, 'city' VALUE city) FROM customers

SELECT GROUPING(region) AS total, region, SUM(amount) FROM targets GROUP BY ROLLUP(region)

SELECT year, region, SUM(amount) FROM targets GROUP BY CUBE(year, region)

SELECT CASE status WHEN 'S' THEN 'shipped' ELSE 'open' END AS status, COUNT(*) FROM orders GROUP BY CASE status WHEN 'S' THEN 'shipped' ELSE 'open' END

SELECT name FROM products p WHERE EXISTS (SELECT 1 FROM order_items i WHERE i.product_id = p.product_id AND i.quantity > 100)

SELECT TO_NUMBER(sku DEFAULT 0 ON CONVERSION ERROR) FROM products

SELECT ROUND(total_amount, 2), MOD(order_id, 10), CEIL(total_amount), TRUNC(total_amount, -2), POWER(2, 3) FROM orders

SELECT CAST(order_date AS DATE), CAST(total_amount AS NUMBER(10, 2)), TO_TIMESTAMP('2024-01-01 10:00:00', 'YYYY-MM-DD HH24:MI:SS') FROM orders

SELECT GREATEST(price, cost), LEAST(price, cost), NULLIF(price, 0), ABS(price) FROM products

SELECT a.activity, ROUND(AVG((CAST(b.occurred_at AS DATE) - CAST(a.occurred_at AS DATE)) * 24), 1) AS hours
FROM events a JOIN events b ON b.case_id = a.case_id AND b.event_id = a.event_id + 1
GROUP BY a.activity

SELECT e.first_name || ' ' || e.last_name AS who, d.name FROM employees e JOIN departments d USING (department_id)

SELECT c.name, x.total FROM customers c CROSS APPLY (SELECT SUM(o.total_amount) AS total FROM orders o WHERE o.customer_id = c.customer_id) x

SELECT NUMTODSINTERVAL(duration_s, 'SECOND') AS took FROM events

SELECT TO_CHAR(order_date, 'DY', 'NLS_DATE_LANGUAGE=POLISH') AS dzień, COUNT(*) FROM orders GROUP BY TO_CHAR(order_date, 'DY', 'NLS_DATE_LANGUAGE=POLISH')
