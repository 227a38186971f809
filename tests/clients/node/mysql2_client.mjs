// Publishes and reads with mysql2.
//
//   node mysql2_client.mjs <host> <port> <password>

import { readFile } from 'node:fs/promises'

import mysql from 'mysql2/promise'

const [host, port, password] = process.argv.slice(2)
const listed = JSON.parse(await readFile(new URL('../payloads.json', import.meta.url), 'utf8'))
const payloads = listed.map(({ text, times }) => text.repeat(times ?? 1))

const INSERT = 'INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)'
const SELECT = 'SELECT message FROM pipes_messages WHERE name = ?'

const db = await mysql.createConnection({ host, port, user: 'root', password })

for (const payload of payloads) await db.query(INSERT, ['mysql2_query', 'client', payload])
check('query', await db.query(SELECT, ['mysql2_query']))

for (const payload of payloads) await db.execute(INSERT, ['mysql2_execute', 'client', payload])
check('execute', await db.execute(SELECT, ['mysql2_execute']))

for (const message of payloads) {
  await db.query('INSERT INTO pipes_messages SET ?', { name: 'mysql2_object', event: 'client', message })
}
check('object', await db.query(SELECT, ['mysql2_object']))

const rows = payloads.map(payload => ['mysql2_bulk', 'client', payload])
const [done] = await db.query('INSERT INTO pipes_messages (name, event, message) VALUES ?', [rows])
if (done.affectedRows !== rows.length) fail(`bulk: ${done.affectedRows} rows affected`)
check('bulk', await db.query(SELECT, ['mysql2_bulk']))

await db.end()

function check(style, [kept]) {
  if (kept.length !== payloads.length) fail(`${style}: ${payloads.length} were published, ${kept.length} are kept`)
  listed.forEach(({ name }, index) => {
    const { message } = kept[index]
    if (message !== payloads[index]) {
      const short = text => JSON.stringify(text).slice(0, 200)
      fail(`${style}: ${name}: ${short(payloads[index])} became ${short(message)}`)
    }
    console.log(`ok ${style}: ${name}`)
  })
}

function fail(reason) {
  console.error(reason)
  process.exit(1)
}
