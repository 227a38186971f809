// Sequelize, over mysql2: a model, bulkCreate, a transaction, its schema questions.

import { DataTypes, Sequelize } from 'sequelize'

import * as duties from './duties.mjs'

const { host, port, password, pipe, first, batched, all, same } = duties
const numberOf = error => error.original.errno
const open = password => new Sequelize('CometQL_v1', 'root', password, {
  dialect: 'mysql', host, port, logging: false, pool: { max: 1 },
})

await duties.refused('a wrong password', 1045, () => open('wrong').authenticate(), numberOf)
const db = open(password)
await db.authenticate()
const { STRING, TEXT, INTEGER } = DataTypes
const Message = db.define('Message', {
  id: { type: STRING, primaryKey: true }, name: STRING, event: STRING, message: TEXT,
}, { tableName: 'pipes_messages', timestamps: false })
const Setting = db.define('Setting', {
  name: { type: STRING, primaryKey: true }, length: INTEGER,
}, { tableName: 'pipes_settings', timestamps: false })

const fields = { fields: ['name', 'event', 'message'] }
await Message.create(first, fields)
const mine = { where: { name: pipe }, attributes: ['name', 'event', 'message'], raw: true }
same('publish', 'it is kept', await Message.findAll(mine), [first])
await db.transaction(transaction => Message.bulkCreate(batched, { ...fields, transaction }))
same('batch', 'bulkCreate, in a transaction', await Message.findAll(mine), all)
same('query', 'count', await Message.count({ where: { name: pipe } }), 4)
same('query', 'findOne', await Message.findOne({ ...mine, where: { name: pipe, event: 'batch' } }), batched[0])
const ordered = await Message.findAndCountAll({ ...mine, order: [['message', 'DESC']], limit: 1, where: { name: pipe, event: 'batch' } })
same('query', 'findAndCountAll', ordered, { count: 3, rows: [batched[1]] })
await Setting.create({ name: `${pipe}_sequelize`, length: 5 })
const [setting] = await Setting.findAll({ where: { name: `${pipe}_sequelize` } })
setting.length = 6
await setting.save()
same('more', 'save', (await setting.reload()).length, 6)
await setting.destroy()
same('more', 'destroy', await Setting.count({ where: { name: `${pipe}_sequelize` } }), 0)
const schema = db.getQueryInterface()
same('more', 'showAllTables', (await schema.showAllTables()).map(table => table.tableName ?? table).includes('pipes'), true)
same('more', 'describeTable', Object.keys(await schema.describeTable('pipes_messages')).includes('event'), true)
const id = () => db.query('SELECT CONNECTION_ID() AS id', { plain: true })
const before = await id()
same('reset', 'the pool lends it again', await id(), before)
await duties.refusedStatements(statement => db.query(statement), numberOf)
await db.close()
