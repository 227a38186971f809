// mysql, the driver that came first: it knows no plugins and announces the old utf8.

import { promisify } from 'node:util'

import mysql from 'mysql'

import * as duties from './duties.mjs'

const { host, port, password, pipe, INSERT, SELECT, first, batched, all, same } = duties
const options = { host, port, user: 'root', password, charset: 'utf8mb4' }

const open = async given => {
  const db = mysql.createConnection(given)
  await promisify(db.connect).call(db)
  return db
}
const asker = db => (statement, values) => new Promise((resolve, reject) => {
  db.query(statement, values, (error, answer) => error ? reject(error) : resolve(answer))
})

await duties.refused('a wrong password', 1045, () => open({ ...options, password: 'wrong' }))
const db = await open({ ...options, multipleStatements: true })
const query = asker(db)
same('publish', 'one row is affected', (await query('INSERT INTO pipes_messages SET ?', first)).affectedRows, 1)
same('query', 'the row is read as it was written', await query(SELECT, [pipe]), [first])
const rows = batched.map(row => Object.values(row))
const done = await query('INSERT INTO pipes_messages (name, event, message) VALUES ?', [rows])
same('batch', 'three rows more', [done.affectedRows, await query(SELECT, [pipe])], [3, all])
same('more', 'two statements at once', await query('SELECT 1 AS one; SELECT 2 AS two'), [[{ one: 1 }], [{ two: 2 }]])
await duties.refusedStatements(query)
await promisify(db.changeUser).call(db, { user: 'root', password, database: 'CometQL_v1' })
same('reset', 'changeUser', await query('SELECT DATABASE() AS db'), [{ db: 'CometQL_v1' }])
await promisify(db.ping).call(db)
same('reset', 'ping', await query('SELECT 1 AS one'), [{ one: 1 }])
await promisify(db.end).call(db)

const pool = mysql.createPool({ ...options, connectionLimit: 1 })
const pooled = asker(pool)
const [[before], [after]] = [await pooled('SELECT CONNECTION_ID() AS id'), await pooled('SELECT CONNECTION_ID() AS id')]
same('reset', 'the pool lends it again', after, before)
await promisify(pool.end).call(pool)
