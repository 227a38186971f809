// Tabs: one holds the connection, the others share it, and any may die.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Comet, type Options } from '../src/comet.js'
import { CometServerApi } from '../src/classic.js'
import { alone, Browser, Tab } from './world/browser.js'

interface Reader {
  readonly tab: Tab
  readonly comet: Comet
  readonly got: unknown[]
}

async function tabs(count: number, options: Options = {}) {
  const { clock, network, node, browser } = alone({})
  node.addUser(7, 'key')
  node.addUser(8, 'key')
  const open = async (more: Options = {}): Promise<Reader> => {
    const tab = new Tab(browser)
    const comet = new Comet({ node: 'node.example', ...options, ...more }, tab.world)
    const got: unknown[] = []
    comet.subscribe('chat', { onMessage: ({ data }) => got.push(data), onGap: () => got.push('gap') })
    comet.start()
    await clock.until(() => comet.state.name === 'live' || comet.state.name === 'refused')
    await clock.pass(50)
    return { tab, comet, got }
  }
  const readers: Reader[] = []
  for (let at = 0; at < count; at += 1) readers.push(await open())
  return { clock, network, node, browser, readers, open }
}

const masters = (readers: readonly Reader[]) => readers.map(({ comet }) => comet.isMaster)
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at)

test('three tabs, one connection, each message once in each', async () => {
  const { clock, node, readers } = await tabs(3)
  assert.deepEqual(masters(readers), [true, false, false])
  assert.equal(node.visitors.size, 1)
  assert.equal(node.heard.filter(frame => frame.do === 'subscribe').length, 1)
  for (const data of numbers(1, 5)) node.insert('chat', data)
  await clock.pass(50)
  for (const { got } of readers) assert.deepEqual(got, numbers(1, 5))
})

test('where tabs cannot share, each connects for itself', async () => {
  const { clock, network, node } = alone()
  const browser = new Browser(network)
  const all = [new Tab(browser, { sharing: false }), new Tab(browser, { sharing: false })].map(tab => new Comet({ node: 'node.example' }, tab.world))
  for (const comet of all) comet.start()
  await clock.pass(100)
  assert.deepEqual(all.map(comet => comet.isMaster), [true, true])
  assert.equal(node.visitors.size, 2)
})

test('tabs: false is a connection of one’s own', async () => {
  const { node, readers } = await tabs(2, { tabs: false })
  assert.deepEqual(masters(readers), [true, true])
  assert.equal(node.visitors.size, 2)
})

test('other users and other tenants do not share', async () => {
  const { node, readers, open } = await tabs(1, { user_id: 7, user_key: 'key' })
  readers.push(await open({ user_id: 8 }), await open({ dev_id: 2 }))
  assert.deepEqual(masters(readers), [true, true, true])
  assert.equal(node.visitors.size, 3)
})

test('the master dies in mid-stream: another takes over at once, nothing is lost or doubled', async () => {
  const { clock, node, readers } = await tabs(3)
  for (const data of numbers(1, 100)) {
    node.insert('chat', data)
    if (data === 50) readers[0]?.tab.die()
    await clock.pass(20)
  }
  await clock.pass(1_000)
  for (const { got } of readers.slice(1)) assert.deepEqual(got, numbers(1, 100))
  assert.equal(masters(readers.slice(1)).filter(Boolean).length, 1)
  assert.equal(node.visitors.size, 1)
})

test('tab after tab dies', async () => {
  const { clock, node, readers } = await tabs(5)
  for (const data of numbers(1, 200)) {
    node.insert('chat', data)
    if (data % 40 === 0) readers.find(({ tab, comet }) => !tab.isDead && comet.isMaster)?.tab.die()
    await clock.pass(20)
  }
  assert.equal(readers.filter(({ tab }) => tab.isDead).length, 5)
  await clock.pass(1_000)
  assert.deepEqual(readers[4]?.got, numbers(1, readers[4]?.got.length ?? 0))
})

test('the master freezes: within two seconds another has its place, and it comes back as one of the others', async () => {
  const { clock, node, readers, network } = await tabs(2)
  const [first, second] = readers
  const dials = network.dialled.length
  first?.tab.freeze()
  let data = 0
  const began = clock.now
  while (network.dialled.length === dials) {
    node.insert('chat', data += 1)
    await clock.pass(50)
  }
  assert.ok(clock.now - began <= 2_000, `${clock.now - began} ms`)
  await clock.pass(500)
  first?.tab.thaw()
  await clock.pass(2_000)
  node.insert('chat', data += 1)
  await clock.pass(100)
  assert.deepEqual(masters(readers), [false, true])
  assert.equal(node.visitors.size, 1)
  for (const reader of [first, second]) assert.deepEqual(reader?.got, numbers(1, data))
})

test('the master stops: the others go on', async () => {
  const { clock, node, readers } = await tabs(2)
  readers[0]?.comet.stop()
  node.insert('chat', 1)
  await clock.pass(1_000)
  node.insert('chat', 2)
  await clock.pass(100)
  assert.deepEqual(readers[1]?.got, [1, 2])
  assert.deepEqual(masters(readers), [undefined, true])
  assert.equal(readers[0]?.comet.state.name, 'stopped')
})

test('the connection breaks: all tabs get what they missed', async () => {
  const { clock, node, readers } = await tabs(3)
  node.insert('chat', 1)
  await clock.pass(50)
  node.cut()
  node.insert('chat', 2)
  await clock.pass(10_000)
  node.insert('chat', 3)
  await clock.pass(50)
  for (const { got } of readers) assert.deepEqual(got, [1, 2, 3])
  assert.equal(node.heard.filter(frame => frame.do === 'subscribe').length, 2)
})

test('a crash of the node is a gap in every tab', async () => {
  const { clock, node, readers } = await tabs(2)
  node.insert('chat', 1)
  await clock.pass(50)
  node.crash()
  await clock.pass(10_000)
  node.insert('chat', 2)
  await clock.pass(50)
  for (const { got } of readers) assert.deepEqual(got, [1, 'gap', 2])
})

test('a tab from the back-forward cache gets what it missed from the master', async () => {
  const { clock, node, readers } = await tabs(2)
  const [, second] = readers
  node.insert('chat', 1)
  await clock.pass(50)
  second?.tab.happens('hide')
  await clock.pass(50)
  node.insert('chat', 2)
  await clock.pass(50)
  second?.tab.happens('show')
  await clock.pass(50)
  node.insert('chat', 3)
  await clock.pass(50)
  for (const { got } of readers) assert.deepEqual(got, [1, 2, 3])
})

test('a tab that was away for too long is told so; the others are not bothered', async () => {
  const { clock, node, readers } = await tabs(2)
  readers[1]?.tab.happens('hide')
  for (const data of numbers(1, 150)) node.insert('chat', data)
  await clock.pass(50)
  readers[1]?.tab.happens('show')
  await clock.pass(50)
  node.insert('chat', 151)
  await clock.pass(50)
  assert.deepEqual(readers[0]?.got, numbers(1, 151))
  assert.deepEqual(readers[1]?.got, ['gap', 151])
})

test('a pipe is given up when the last tab that wants it is gone, however it goes', async () => {
  for (const end of ['close', 'stop', 'die'] as const) {
    const { clock, node, readers } = await tabs(2)
    const subscription = readers[1]?.comet.subscribe('news')
    await clock.pass(50)
    const [visitor] = node.visitors
    assert.ok(visitor)
    assert.ok(visitor.pipes.has('news'))
    if (end === 'close') subscription?.close()
    else if (end === 'stop') readers[1]?.comet.stop()
    else readers[1]?.tab.die()
    await clock.pass(100)
    assert.deepEqual([...visitor.pipes], ['chat'], end)
  }
})

test('every command works through another tab', async () => {
  const { clock, node, readers } = await tabs(2, { user_id: 7, user_key: 'key', uuid: 'browser' })
  const { comet } = readers[1]!
  node.keep('web_chat', 10)
  node.userData.set(5, 'data')
  comet.subscribe('track_hall')
  const results = Promise.all([
    comet.publish('web_chat', 1), comet.history('web_chat'), comet.count('track_hall'), comet.users('track_hall'), comet.userData(5), comet.seen(7),
  ])
  const refused = assert.rejects(comet.publish('chat', 1), /403/)
  await clock.pass(100)
  await refused
  const [published, history, count, users, data, seen] = await results
  assert.equal(published.position[1], 1)
  assert.deepEqual(history.map(({ data, own }) => [data, own]), [[1, true]])
  assert.deepEqual([count, users, data, seen.status], [1, [{ user: 7, uuid: 'browser' }], 'data', 'online'])
})

test('an own message is own in the tab that published it', async () => {
  const { clock, readers } = await tabs(2)
  const own: unknown[] = []
  readers.forEach(({ comet }, at) => comet.subscribe('web_chat', { onMessage: message => own.push([at, message.own]) }))
  await clock.pass(50)
  void readers[1]?.comet.publish('web_chat', 1)
  await clock.pass(50)
  assert.deepEqual(own.sort(), [[0, false], [1, true]])
})

test('a publish that the master took with it is repeated, and is one message', async () => {
  const { clock, node, readers } = await tabs(2)
  node.losesAnswersTo = 'publish'
  const publishing = readers[1]?.comet.publish('web_chat', 1)
  await clock.pass(8)
  readers[0]?.tab.die()
  node.losesAnswersTo = undefined
  await clock.pass(2_000)
  assert.equal((await publishing)?.position[1], 1)
  assert.equal(node.pipe('web_chat').head, 1)
})

test('the past, for the first tab and for a later one', async () => {
  const { clock, node, readers, open } = await tabs(1)
  node.keep('web_chat', 5)
  for (const data of numbers(1, 9)) node.insert('web_chat', data)
  const pasts: string[][] = []
  const subscribe = ({ comet }: Reader) => {
    const got: string[] = []
    pasts.push(got)
    comet.subscribe('web_chat', { last: 3, onMessage: ({ data, history }) => got.push(`${data}${history ? ' past' : ''}`) })
  }
  subscribe(readers[0]!)
  await clock.pass(50)
  node.insert('web_chat', 10)
  await clock.pass(50)
  subscribe(await open())
  for (const data of numbers(11, 15)) {
    node.insert('web_chat', data)
    await clock.pass(4)
  }
  await clock.pass(50)
  assert.deepEqual(pasts[0], ['7 past', '8 past', '9 past', ...numbers(10, 15).map(String)])
  const later = pasts[1]?.map(Number.parseFloat) ?? []
  assert.deepEqual(later, numbers(later[0] ?? 0, 15), 'no hole, nothing twice')
  assert.ok((later[0] ?? 99) <= 11, `${later}`)
})

test('a pipe is refused to the tab that asked, and the others go on', async () => {
  const { clock, node, readers } = await tabs(2)
  const { ready } = readers[1]!.comet.subscribe('private_x', { onMessage: () => {} })
  const refused = assert.rejects(ready, /403/)
  await clock.pass(50)
  await refused
  node.insert('chat', 1)
  await clock.pass(50)
  for (const { got } of readers) assert.deepEqual(got, [1])
})

test('private messages reach every tab once, and a tab that comes later only what nobody took', async () => {
  const { clock, node, readers, open } = await tabs(2, { user_id: 7, user_key: 'key' })
  const got: string[] = []
  readers.forEach(({ comet }, at) => comet.subscribe('msg', { onMessage: ({ data }) => got.push(`${at}: ${data}`) }))
  node.insertForUser(7, 'one')
  await clock.pass(50)
  const third = await open()
  third.comet.subscribe('msg', { onMessage: ({ data }) => got.push(`2: ${data}`) })
  await clock.pass(50)
  node.insertForUser(7, 'two')
  await clock.pass(50)
  readers[0]?.tab.die()
  node.insertForUser(7, 'three')
  await clock.pass(2_000)
  assert.deepEqual(got.sort(), ['0: one', '0: two', '1: one', '1: three', '1: two', '2: three', '2: two'])
  assert.equal(node.users.get(7)?.taken, 3)
})

test('a private message that the first tab does not care for waits for the one that does', async () => {
  const { clock, node, open } = await tabs(1, { user_id: 7, user_key: 'key' })
  node.insertForUser(7, 'one')
  await clock.pass(50)
  const second = await open()
  const got: unknown[] = []
  second.comet.subscribe('msg', { onMessage: ({ data }) => got.push(data) })
  await clock.pass(50)
  assert.deepEqual(got, ['one'])
})

test('a refusal is known in every tab, and a tab with another key ends it', async () => {
  const { clock, node, readers, open } = await tabs(2, { user_id: 7, user_key: 'key' })
  node.refuses = { code: 4203, reason: 'revoked' }
  node.cut(4203, 'revoked')
  await clock.pass(1_000)
  for (const { comet } of readers) assert.deepEqual(comet.state, { name: 'refused', code: 4203, reason: 'revoked' })
  node.refuses = undefined
  node.addUser(7, 'new key')
  const third = await open({ user_key: 'new key' })
  await clock.pass(2_000)
  assert.equal(third.comet.user, 7)
  node.insert('chat', 1)
  await clock.pass(50)
  assert.deepEqual(third.got, [1])
})

test('waking one tab wakes the one with the connection', async () => {
  const { clock, node, readers, network } = await tabs(2)
  network.isCut = true
  node.cut()
  await clock.pass(60_000)
  network.isCut = false
  await clock.until(() => readers[0]?.comet.state.name === 'waiting')
  await clock.pass(10)
  assert.equal(readers[1]?.comet.state.name, 'waiting')
  readers[1]?.tab.happens('visible')
  await clock.pass(100)
  assert.equal(readers[1]?.comet.state.name, 'live')
})

test('the classic face: isMaster tells, and the callbacks of every tab are called', async () => {
  const { clock, node, browser } = alone({})
  const told: unknown[] = []
  const all = [0, 1].map(at => {
    const api = new CometServerApi({}, new Tab(browser).world)
    api.subscription('chat', ({ data }) => told.push([at, data]))
    return api
  })
  assert.deepEqual(all.map(api => api.isMaster()), [undefined, undefined])
  for (const api of all) {
    api.start({ node: 'node.example' })
    await clock.pass(100)
  }
  assert.deepEqual(all.map(api => api.isMaster()), [true, false])
  assert.equal(all[0]?.getUUID(), all[1]?.getUUID())
  assert.notEqual(all[0]?.getTabUUID(), all[1]?.getTabUUID())
  node.insert('chat', 1)
  await clock.pass(50)
  assert.deepEqual(told.sort(), [[0, 1], [1, 1]])
})

test('what is shared does not pile up while nobody dies', async () => {
  const { clock, browser, readers, network } = await tabs(3)
  await clock.pass(60 * 60_000)
  assert.equal(browser.channels.size, 3)
  assert.equal(network.dialled.length, 1)
  assert.deepEqual(masters(readers), [true, false, false])
})
