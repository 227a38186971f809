// knex, over mysql2: the builder, batches, a transaction with a savepoint, its schema questions.

import knex from 'knex'

import * as duties from './duties.mjs'

const { host, port, password, pipe, first, batched, all, same } = duties
const open = password => knex({
  client: 'mysql2',
  connection: { host, port: Number(port), user: 'root', password, database: 'CometQL_v1' },
  pool: { min: 1, max: 1 },
})

const stranger = open('wrong')
await duties.refused('a wrong password', 1045, () => stranger.raw('SELECT 1'))
await stranger.destroy()

const db = open(password)
await db('pipes_messages').insert(first)
const kept = () => db('pipes_messages').select('name', 'event', 'message').where({ name: pipe })
same('publish', 'it is kept', await kept(), [first])
await db.transaction(async outer => {
  await outer.transaction(inner => inner('pipes_messages').insert(batched))
})
same('batch', 'three rows more, in a savepoint', await kept(), all)
same('query', 'count', await db('pipes_messages').where({ name: pipe }).count('* as n'), [{ n: 4 }])
same('query', 'first', await kept().where('event', 'like', 'publ%').first(), first)
same('query', 'whereIn, orderBy, limit', await kept().whereIn('event', ['batch']).orderBy('message', 'desc').limit(1), [batched[1]])
same('more', 'hasTable', [await db.schema.hasTable('pipes'), await db.schema.hasTable('nowhere')], [true, false])
same('more', 'hasColumn', await db.schema.hasColumn('pipes_messages', 'event'), true)
same('more', 'columnInfo', Object.keys(await db('pipes_settings').columnInfo()).includes('length'), true)
const setting = { name: `${pipe}_knex`, length: 5 }
await db('pipes_settings').insert(setting)
same('more', 'update', await db('pipes_settings').where({ name: setting.name }).update({ length: 6 }), 1)
same('more', 'delete', await db('pipes_settings').where({ name: setting.name }).del(), 1)
const id = () => db.raw('SELECT CONNECTION_ID() AS id').then(([[row]]) => row)
const before = await id()
same('reset', 'the pool lends it again', await id(), before)
await duties.refusedStatements(statement => db.raw(statement))
await db.destroy()
