// mariadb: its own batches, resets, and a pool that resets what comes back.

import mariadb from 'mariadb'

import * as duties from './duties.mjs'

const { host, port, password, pipe, INSERT, SELECT, first, batched, all, same } = duties
const options = { host, port: Number(port), user: 'root', password, bigIntAsNumber: true }

await duties.refused('a wrong password', 1045, () => mariadb.createConnection({ ...options, password: 'wrong' }))
const db = await mariadb.createConnection(options)
same('publish', 'one row is affected', (await db.execute(INSERT, Object.values(first))).affectedRows, 1)
same('query', 'the row is read as it was written', await db.query(SELECT, [pipe]), [first])
await db.batch(INSERT, batched.map(row => Object.values(row)))
same('batch', 'three rows more', await db.execute(SELECT, [pipe]), all)
await duties.refusedStatements(statement => db.query(statement))
await duties.refused('a bad name, prepared', 12, () => db.execute(INSERT, ['a b', 'e', 'm']))
await db.reset()
same('reset', 'reset', await db.query('SELECT 1 AS one'), [{ one: 1 }])
same('reset', 'a statement prepared anew', await db.execute(SELECT, [pipe]), all)
await db.beginTransaction()
await db.commit()
await db.ping()
await db.end()

const pool = mariadb.createPool({ ...options, connectionLimit: 1, resetAfterUse: true })
const id = () => pool.query('SELECT CONNECTION_ID() AS id')
const before = await id()
same('reset', 'the pool lends it again', await id(), before)
await pool.end()
