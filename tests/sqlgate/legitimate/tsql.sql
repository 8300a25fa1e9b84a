SELECT COUNT(*) FROM orders

SELECT TOP 10 name, price FROM products ORDER BY price DESC

SELECT TOP (5) WITH TIES name FROM products ORDER BY price DESC

SELECT TOP 10 PERCENT name FROM products ORDER BY price

SELECT DISTINCT TOP 3 city FROM customers ORDER BY city

SELECT name FROM products ORDER BY price OFFSET 10 ROWS FETCH NEXT 10 ROWS ONLY

SELECT name FROM products ORDER BY price OFFSET 5 ROWS

SELECT YEAR(order_date) AS y, MONTH(order_date) AS m, SUM(total_amount) AS s FROM orders GROUP BY YEAR(order_date), MONTH(order_date) ORDER BY y, m

SELECT FORMAT(order_date, 'yyyy-MM') AS month, COUNT(*) FROM orders GROUP BY FORMAT(order_date, 'yyyy-MM')

SELECT CONVERT(varchar(10), order_date, 120) AS d FROM orders

SELECT DATEADD(month, DATEDIFF(month, 0, order_date), 0) AS month FROM orders

SELECT order_id FROM orders WHERE order_date >= DATEADD(day, -30, GETDATE())

SELECT DATEDIFF(day, order_date, shipped_date) AS days, DATENAME(month, order_date), DATEPART(week, order_date), EOMONTH(order_date) FROM orders

SELECT ISNULL(country, 'none') AS country, COUNT(*) AS n FROM customers GROUP BY country HAVING COUNT(*) > 3

SELECT IIF(total_amount > 100, 'large', 'small') AS size FROM orders

SELECT CHOOSE(quarter, 'Q1', 'Q2', 'Q3', 'Q4') AS q, amount FROM targets

SELECT STRING_AGG(name, ', ') WITHIN GROUP (ORDER BY name) FROM categories

SELECT STUFF((SELECT ', ' + name FROM categories FOR XML PATH('')), 1, 2, '') AS names

SELECT [unit price], [group] FROM [order details]

SELECT o.[order_id] FROM [dbo].[orders] AS o WHERE o.[status] = N'wysłane'

SELECT name FROM customers WITH (NOLOCK) WHERE country = 'PL'

SELECT c.name, x.order_id FROM customers c CROSS APPLY (SELECT TOP 1 o.order_id FROM orders o WHERE o.customer_id = c.customer_id ORDER BY o.order_date DESC) x

SELECT c.name, x.n FROM customers c OUTER APPLY (SELECT COUNT(*) AS n FROM orders o WHERE o.customer_id = c.customer_id) AS x

SELECT p.name, s.value FROM products p CROSS APPLY STRING_SPLIT(p.tags, ',') s

SELECT region, [1], [2], [3], [4] FROM (SELECT region, quarter, amount FROM targets) AS t PIVOT (SUM(amount) FOR quarter IN ([1], [2], [3], [4])) AS p

SELECT product_id, kind, amount FROM (SELECT product_id, price, cost FROM products) AS p UNPIVOT (amount FOR kind IN (price, cost)) AS u

WITH t AS (SELECT customer_id, SUM(total_amount) AS total FROM orders GROUP BY customer_id) SELECT TOP 10 c.name, t.total FROM t JOIN customers c ON c.customer_id = t.customer_id ORDER BY t.total DESC

;WITH r AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY category_id ORDER BY price DESC) AS rn FROM products) SELECT name FROM r WHERE rn = 1

WITH chain AS (
    SELECT employee_id, manager_id, 0 AS depth FROM employees WHERE manager_id IS NULL
    UNION ALL
    SELECT e.employee_id, e.manager_id, c.depth + 1 FROM employees e INNER JOIN chain c ON e.manager_id = c.employee_id
)
SELECT depth, COUNT(*) AS n FROM chain GROUP BY depth OPTION (MAXRECURSION 100)

SELECT JSON_VALUE(metadata, '$.source') AS source, COUNT(*) FROM orders GROUP BY JSON_VALUE(metadata, '$.source')

SELECT o.order_id, j.value FROM orders o CROSS APPLY OPENJSON(o.metadata, '$.tags') j

SELECT name FROM customers WHERE name LIKE N'%[ąć]%' COLLATE Polish_CI_AS

SELECT TRY_CONVERT(int, sku), TRY_CAST(sku AS decimal(10, 2)), CAST(price AS money) FROM products

SELECT LEN(name), CHARINDEX('a', name), SUBSTRING(name, 1, 3), UPPER(name), LTRIM(RTRIM(name)), REPLACE(name, 'a', 'b'), LEFT(name, 2), REVERSE(name), PATINDEX('%a%', name) FROM customers

SELECT order_date, SUM(total_amount) OVER (ORDER BY order_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running FROM orders

SELECT LAG(amount, 1, 0) OVER (PARTITION BY region ORDER BY year, quarter) AS before FROM targets

SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY total_amount) OVER (PARTITION BY status) AS median FROM orders

SELECT customer_id FROM customers EXCEPT SELECT customer_id FROM orders

SELECT 'a' AS kind, COUNT(*) AS n FROM orders UNION ALL SELECT 'b', COUNT(*) FROM invoices

SELECT 'a' AS kind, COUNT(*) AS n FROM orders UNION ALL SELECT 'b', COUNT(*) FROM invoices ORDER BY n DESC

SELECT 'DROP TABLE x; EXEC xp_cmdshell' AS text, '--' AS dashes

SELECT województwo, SUM(kwota) AS suma FROM zamówienia WHERE źródło = N'Żabka' GROUP BY województwo

SELECT region, SUM(amount) AS s, GROUPING(region) AS g FROM targets GROUP BY ROLLUP (region)

SELECT year, region, SUM(amount) FROM targets GROUP BY GROUPING SETS ((year), (region), ())

SELECT e.first_name + ' ' + e.last_name AS who, d.name FROM employees AS e LEFT JOIN departments AS d ON d.department_id = e.department_id

SELECT COUNT_BIG(*), AVG(CAST(quantity AS float)), STDEV(unit_price), VAR(unit_price) FROM order_items

SELECT name FROM products WHERE product_id IN (SELECT product_id FROM stock GROUP BY product_id HAVING SUM(quantity) = 0)

SELECT DATEFROMPARTS(year, quarter * 3, 1) AS ends FROM targets

SELECT CASE WHEN paid_on IS NULL AND due_on < CAST(GETDATE() AS date) THEN 'late' ELSE 'fine' END AS state, COUNT(*) FROM invoices GROUP BY CASE WHEN paid_on IS NULL AND due_on < CAST(GETDATE() AS date) THEN 'late' ELSE 'fine' END

SELECT order_id, CONCAT(status, '-', channel), COALESCE(notes, ''), NULLIF(currency, ''), ABS(total_amount), ROUND(total_amount, 2), CEILING(total_amount), total_amount % 2 FROM orders
