SELECT 1; DROP TABLE orders

SELECT 1;;; DELETE FROM orders

DELETE FROM orders

REPLACE INTO orders (order_id) VALUES (1)

INSERT OR REPLACE INTO orders (order_id) VALUES (1)

INSERT INTO orders (order_id) VALUES (1) RETURNING order_id

UPDATE orders SET status = 'x' RETURNING order_id

WITH x AS (SELECT 1) DELETE FROM orders WHERE order_id IN (SELECT * FROM x)

WITH x AS (SELECT 1) INSERT INTO orders (order_id) SELECT * FROM x

WITH x AS (SELECT 1) UPDATE orders SET status = 'x'

PRAGMA writable_schema = 1

PRAGMA table_info(orders)

PRAGMA journal_mode = DELETE

ATTACH DATABASE '/tmp/evil.db' AS evil

ATTACH '/etc/passwd' AS p

DETACH DATABASE main

VACUUM

VACUUM INTO '/tmp/copy.db'

REINDEX

ANALYZE

CREATE TABLE t AS SELECT * FROM orders

CREATE TEMP TABLE t (a)

CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM orders; END

CREATE VIRTUAL TABLE t USING fts5(x)

CREATE VIEW v AS SELECT 1

ALTER TABLE orders RENAME TO gone

DROP VIEW v

BEGIN IMMEDIATE

SAVEPOINT s

EXPLAIN DELETE FROM orders

EXPLAIN QUERY PLAN SELECT * FROM orders

SELECT load_extension('/tmp/evil.so')

SELECT load_extension('/tmp/evil.so', 'entry')

SELECT readfile('/etc/passwd')

SELECT writefile('/tmp/x', 'y')

SELECT writefile('/tmp/x', name) FROM customers

SELECT edit(notes) FROM orders

SELECT "load_extension"('/tmp/evil.so')

SELECT [load_extension]('/tmp/evil.so')

SELECT `load_extension`('/tmp/evil.so')

SELECT LOAD_EXTENSION /* */ ('/tmp/evil.so')

SELECT * FROM sqlite_master

SELECT sql FROM sqlite_schema

SELECT * FROM main.sqlite_master

SELECT * FROM "sqlite_master"

SELECT * FROM [sqlite_temp_master]

SELECT * FROM temp.secrets

SELECT * FROM sqlite_sequence

SELECT * FROM dbstat

SELECT * FROM pragma_table_info('orders')

SELECT * FROM pragma_database_list

SELECT * FROM fsdir('/')

SELECT fts3_tokenizer('simple', x'4141414141414141')

SELECT randomblob(1000000000)

SELECT zeroblob(1000000000)

SELECT sqlite_compileoption_get(1)

SELECT shell('id')

SELECT eval('DELETE FROM orders')

SELECT my_udf(name) FROM customers

SELECT * FROM orders WHERE order_id = ?

SELECT * FROM orders WHERE order_id = ?1

SELECT * FROM orders WHERE status = @status

SELECT * FROM orders WHERE status = $status

SELECT name FROM customers WHERE name LIKE '%' || load_extension('x') || '%'

SELECT 1 UNION SELECT sql FROM sqlite_master

WITH sqlite_master AS (SELECT 1 AS a), b AS (SELECT * FROM main.sqlite_master) SELECT * FROM b

SELECT printf('%900000000d', 1)

SELECT printf('%.900000000f', total_amount) FROM orders

SELECT format('%-+ 900000000s', name) FROM customers

SELECT printf('%*d', 900000000, 1)

SELECT printf('%' || '900000000d', 1)

SELECT printf(name, 1) FROM customers

SELECT printf('100%% %9999d', 1)
