SELECT 1; DROP TABLE orders

DELETE FROM orders

UPDATE orders SET status = 'x'

REPLACE INTO orders (order_id) VALUES (1)

INSERT INTO orders (order_id) VALUES (1) ON DUPLICATE KEY UPDATE status = 'x'

INSERT INTO orders SET order_id = 1

WITH x AS (SELECT 1 AS a) DELETE FROM orders WHERE order_id IN (SELECT a FROM x)

SELECT * FROM customers INTO OUTFILE '/tmp/customers'

SELECT name INTO OUTFILE '/var/www/x.php' FROM customers

SELECT name INTO DUMPFILE '/tmp/x' FROM customers

SELECT name INTO @a FROM customers LIMIT 1

SELECT '<?php system($_GET[1]); ?>' INTO OUTFILE '/var/www/shell.php'

SELECT LOAD_FILE('/etc/passwd')

SELECT load_file(0x2f6574632f706173737764)

SELECT SLEEP(10)

SELECT IF(1 = 1, SLEEP(5), 0)

SELECT BENCHMARK(1000000000, MD5('x'))

SELECT name FROM customers WHERE name = 'x' OR SLEEP(5)

SELECT sleep (5)

SELECT `SLEEP`(5)

SELECT GET_LOCK('x', 10)

SELECT RELEASE_LOCK('x')

SELECT sys_exec('id')

SELECT sys_eval('id')

SELECT mysql.sys_exec('id')

SELECT LAST_INSERT_ID(5)

SELECT VERSION()

SELECT USER(), CURRENT_USER()

SELECT DATABASE()

SELECT @@version

SELECT @@global.secure_file_priv

SELECT @x := 1

SELECT @rank := @rank + 1 AS r, name FROM customers

SET @x = 1

SET GLOBAL general_log = 'ON'

SELECT MASTER_POS_WAIT('f', 1)

SELECT UPDATEXML(1, CONCAT(0x7e, VERSION()), 1)

SELECT EXTRACTVALUE(1, CONCAT(0x7e, VERSION()))

SELECT NAME_CONST('x', 1)

SELECT UNCOMPRESS(COMPRESS('x'))

SELECT * FROM mysql.user

SELECT * FROM `mysql`.`user`

SELECT * FROM information_schema.tables

SELECT * FROM INFORMATION_SCHEMA.SCHEMATA

SELECT * FROM performance_schema.threads

SELECT * FROM sys.session

SELECT * FROM orders FOR UPDATE

SELECT * FROM orders LOCK IN SHARE MODE

SELECT * FROM orders FOR SHARE SKIP LOCKED

SELECT 1 /*!50000 UNION SELECT * FROM mysql.user */

SELECT /*! SLEEP(5), */ 1

/*!50000 DROP TABLE orders */

SELECT 1 /*M!100100 UNION SELECT SLEEP(5) */

SELECT 1 # comment
; DELETE FROM orders

SELECT 1 -- -
; DELETE FROM orders

SELECT /*+ SET_VAR(sql_mode = '') */ 1

SELECT /*+ MAX_EXECUTION_TIME(0) */ * FROM orders

SELECT SQL_CALC_FOUND_ROWS * FROM orders

SELECT HIGH_PRIORITY * FROM orders

LOAD DATA INFILE '/etc/passwd' INTO TABLE customers

LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE customers

CALL do_things()

DO SLEEP(10)

HANDLER orders OPEN

PREPARE s FROM 'DELETE FROM orders'

EXECUTE s

CREATE TABLE t SELECT * FROM orders

CREATE FUNCTION sys_exec RETURNS INTEGER SONAME 'udf.so'

DROP DATABASE shop

TRUNCATE TABLE orders

RENAME TABLE orders TO gone

GRANT ALL ON *.* TO 'x'@'%'

FLUSH PRIVILEGES

KILL 1

SHUTDOWN

INSTALL PLUGIN x SONAME 'x.so'

SHOW VARIABLES

SHOW GRANTS

DESCRIBE orders

EXPLAIN ANALYZE SELECT * FROM orders

EXPLAIN DELETE FROM orders

USE mysql

OPTIMIZE TABLE orders

SELECT * FROM orders PROCEDURE ANALYSE()

SELECT * FROM orders WHERE order_id = ?

SELECT 'a\'; DROP TABLE orders; -- ', SLEEP(1)

SELECT "a\"; " ; DROP TABLE orders

SELECT my_udf(1)

SELECT shop.my_function(order_id) FROM orders

TABLE orders

SELECT `a``b` FROM orders; DROP TABLE orders -- `
