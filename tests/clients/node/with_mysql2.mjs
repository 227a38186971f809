// mysql2: texts and prepared statements, a pool, a stream.

import mysql from 'mysql2/promise'

import * as duties from './duties.mjs'

const { host, port, password, pipe, INSERT, SELECT, first, batched, all, same } = duties
const options = { host, port, user: 'root', password }

await duties.refused('a wrong password', 1045, () => mysql.createConnection({ ...options, password: 'wrong' }))
const db = await mysql.createConnection({ ...options, multipleStatements: true })
const [done] = await db.execute(INSERT, Object.values(first))
same('publish', 'one row is affected', done.affectedRows, 1)
same('query', 'the row is read as it was written', (await db.query(SELECT, [pipe]))[0], [first])
await db.query('INSERT INTO pipes_messages (name, event, message) VALUES ?', [batched.map(row => Object.values(row))])
same('batch', 'three rows more', (await db.execute(SELECT, [pipe]))[0], all)
same('more', 'two statements at once', (await db.query('SELECT 1 AS one; SELECT 2 AS two'))[0], [[{ one: 1 }], [{ two: 2 }]])
const streamed = []
for await (const row of db.connection.query(SELECT, [pipe]).stream()) streamed.push(row)
same('query', 'a stream', streamed, all)
await duties.refusedStatements(statement => db.query(statement))
await duties.refused('a bad name, prepared', 12, () => db.execute(INSERT, ['a b', 'e', 'm']))
await db.changeUser({ user: 'root', password, database: 'CometQL_v1' })
same('reset', 'changeUser', (await db.query('SELECT DATABASE() AS db'))[0], [{ db: 'CometQL_v1' }])
same('reset', 'a statement prepared anew', (await db.execute(SELECT, [pipe]))[0], all)
await db.beginTransaction()
await db.rollback()
await db.ping()
await db.end()

const encrypted = await mysql.createConnection({ ...options, ssl: { rejectUnauthorized: false } })
const [[{ Value: cipher }]] = await encrypted.query("SHOW STATUS LIKE 'Ssl_cipher'")
same('more', 'TLS', cipher !== '', true)
await encrypted.end()

const pool = mysql.createPool({ ...options, connectionLimit: 1 })
const id = async () => (await pool.query('SELECT CONNECTION_ID() AS id'))[0]
const before = await id()
same('reset', 'the pool lends it again', await id(), before)
await pool.end()
