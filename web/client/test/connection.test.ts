// The life of a connection: dialling, dying, waiting, dialling again.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { remedy, wait } from '../src/backoff.js'
import { nodeUrl } from '../src/address.js'
import { Comet, type Options } from '../src/comet.js'
import { alone } from './world/browser.js'
import { settle } from './world/clock.js'

async function connected(options: Options = {}) {
  const world = alone()
  const comet = new Comet({ node: 'node.example', ...options }, world.tab.world)
  const states: string[] = []
  comet.on('state', state => states.push(state.name))
  comet.start()
  await world.clock.until(() => comet.state.name === 'live')
  const got: unknown[] = []
  comet.subscribe('chat', { onMessage: ({ data }) => got.push(data), onGap: () => got.push('gap') })
  await world.clock.pass(100)
  return { ...world, comet, states, got }
}

test('addresses', () => {
  const urls = [
    ['node.example', 'ws://node.example/ws/v=5&devid=3'],
    ['node.example:8087/', 'ws://node.example:8087/ws/v=5&devid=3'],
    ['node.example/comet-server', 'ws://node.example/comet-server/ws/v=5&devid=3'],
    ['wss://node.example/comet-server/', 'wss://node.example/comet-server/ws/v=5&devid=3'],
    ['ws://node.example', 'ws://node.example/ws/v=5&devid=3'],
    ['https://node.example', 'wss://node.example/ws/v=5&devid=3'],
    ['//node.example', 'ws://node.example/ws/v=5&devid=3'],
    ['[::1]:8087', 'ws://[::1]:8087/ws/v=5&devid=3'],
  ] as const
  for (const [node, url] of urls) assert.equal(nodeUrl(node, { tenant: 3, secure: false }), url)
  assert.equal(nodeUrl('node.example', { tenant: 0, secure: true }), 'wss://node.example/ws/v=5&devid=0')
  assert.throws(() => nodeUrl('', { tenant: 0, secure: false }), /not the address/)
})

test('close codes, and what they ask for', () => {
  for (const code of [4000, 4050, 4099]) assert.equal(remedy(code), 'at_once')
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4100, 4101, 4102]) assert.equal(remedy(code), 'later')
  for (const code of [1002, 1003, 1007, 1008, 1009, 4200, 4201, 4202, 4203, 4299]) assert.equal(remedy(code), 'never')
})

test('waits double up to a bound, and are anything below', () => {
  assert.deepEqual([0, 1, 2, 3, 10].map(attempt => wait(attempt, 'later', 0.999999)), [999, 1999, 3999, 7999, 29_999])
  assert.equal(wait(5, 'later', 0), 0)
  assert.equal(wait(0, 'at_once', 0.5), 50)
})

test('the page’s own node is the default, with the page’s own security', async () => {
  for (const [protocol, scheme] of [['http:', 'ws'], ['https:', 'wss']] as const) {
    const { tab, network, clock } = alone({ sharing: false, host: 'node.example', protocol })
    const comet = new Comet({ dev_id: 4 }, tab.world)
    comet.start()
    await clock.until(() => comet.state.name === 'live')
    assert.deepEqual(network.dialled, [`${scheme}://node.example/ws/v=5&devid=4`])
  }
  const { tab } = alone({ sharing: false, protocol: 'file:' })
  assert.throws(() => new Comet({}, tab.world).start(), /say where the node is/)
})

test('start twice is start', async () => {
  const { comet, network, node } = await connected()
  comet.start()
  comet.start({ node: 'node.example' })
  await settle()
  assert.equal(network.dialled.length, 1)
  assert.equal(node.visitors.size, 1)
})

test('start with another login connects anew, once', async () => {
  const { comet, network, node, clock } = await connected()
  node.addUser(7, 'key')
  comet.start({ user_id: 7, user_key: 'key' })
  await clock.until(() => comet.user === 7)
  assert.equal(network.dialled.length, 2)
  assert.equal(node.visitors.size, 1)
})

test('stop then start: one connection, and each message once', async () => {
  const { comet, node, clock, got } = await connected()
  comet.stop()
  comet.start()
  await clock.until(() => comet.state.name === 'live')
  await clock.pass(10_000)
  assert.equal(node.visitors.size, 1)
  node.insert('chat', 1)
  await clock.pass(100)
  assert.deepEqual(got, [1])
})

test('stop before there is a connection', async () => {
  const { tab, clock, node } = alone()
  const comet = new Comet({ node: 'node.example' }, tab.world)
  comet.start()
  comet.stop()
  await clock.pass(120_000)
  assert.equal(node.visitors.size, 0)
  assert.equal(comet.state.name, 'stopped')
})

test('what was missed comes after a broken connection, in its order, nothing twice', async () => {
  const { clock, node, got } = await connected()
  node.insert('chat', 1)
  await clock.pass(100)
  node.cut()
  for (const data of [2, 3, 4]) node.insert('chat', data)
  await clock.pass(10_000)
  node.insert('chat', 5)
  await clock.pass(100)
  assert.deepEqual(got, [1, 2, 3, 4, 5])
})

test('what a crash has lost is a gap', async () => {
  const { clock, node, got } = await connected()
  node.insert('chat', 1)
  await clock.pass(100)
  node.crash()
  node.insert('chat', 2)
  await clock.pass(10_000)
  node.insert('chat', 3)
  await clock.pass(100)
  assert.deepEqual(got, [1, 'gap', 3])
})

test('while the node is away attempts become rarer, and never stop', async () => {
  const { clock, node, network, comet } = await connected()
  node.isDown = true
  node.cut()
  await clock.pass(10 * 60_000)
  const attempts = network.dialled.length - 1
  assert.ok(attempts >= 20 && attempts <= 80, `${attempts} in ten minutes`)
  node.isDown = false
  await clock.until(() => comet.state.name === 'live')
})

test('several nodes: the next one when one is away', async () => {
  const { clock, node, network, comet, got } = await connected({ node: ['node.example', 'other.example'] })
  const other = network.node('other.example')
  node.isDown = true
  node.cut()
  await clock.until(() => comet.state.name === 'waiting')
  await clock.until(() => comet.state.name === 'live')
  await clock.pass(100)
  assert.match(network.dialled.at(-1) ?? '', /other\.example/)
  other.insert('chat', 1)
  await clock.pass(100)
  assert.deepEqual(got, ['gap', 1], 'these two do not know each other')
})

test('coming online or to the front ends the wait', async () => {
  for (const event of ['online', 'visible'] as const) {
    const { clock, node, network, comet, tab } = await connected()
    network.isCut = true
    node.cut()
    await clock.pass(60_000)
    network.isCut = false
    await clock.until(() => comet.state.name === 'waiting')
    const now = clock.now
    tab.happens(event)
    await clock.until(() => comet.state.name === 'live')
    assert.ok(clock.now - now < 100, event)
  }
})

test('offline at the start', async () => {
  const { tab, clock, network } = alone()
  tab.isOnline = false
  const comet = new Comet({ node: 'node.example' }, tab.world)
  comet.start()
  await clock.pass(20_000)
  assert.equal(comet.state.name, 'offline')
  assert.equal(network.dialled.length, 0)
  tab.goOnline()
  await clock.pass(100)
  assert.equal(comet.state.name, 'live')
})

test('a system that says offline and is not', async () => {
  const { tab, clock } = alone()
  tab.isOnline = false
  const comet = new Comet({ node: 'node.example' }, tab.world)
  comet.start()
  await clock.pass(31_000)
  assert.equal(comet.state.name, 'live')
})

test('a node that goes silent is left', async () => {
  const { clock, node, network, comet, states } = await connected({ node: ['node.example', 'other.example'] })
  network.node('other.example')
  node.isMute = true
  await clock.pass(25_000 + 10_000 + 2_000)
  assert.ok(states.includes('waiting'))
  await clock.until(() => comet.state.name === 'live')
  assert.match(network.dialled.at(-1) ?? '', /other/)
})

test('a node that takes the connection and does not greet is left', async () => {
  const { tab, clock, network, node } = alone()
  network.node('other.example')
  node.isMute = true
  const comet = new Comet({ node: ['node.example', 'other.example'] }, tab.world)
  comet.start()
  await clock.pass(15_000)
  assert.equal(comet.state.name, 'live')
})

test('a connection that lives stays, however long', async () => {
  const { clock, network } = await connected()
  await clock.pass(60 * 60_000)
  assert.equal(network.dialled.length, 1)
})

test('a laptop that slept keeps a connection that lives: the answer to the ping is late', async () => {
  const { clock, network, comet, node } = await connected()
  await clock.pass(25_000 - 100 + 3)
  assert.equal(node.heard.filter(frame => frame.do === 'ping').length, 0)
  await clock.until(() => node.heard.some(frame => frame.do === 'ping'))
  // The answer is on its way, and the lid is closed.
  clock.sleep(3 * 3_600_000)
  await clock.pass(20_000)
  assert.equal(comet.state.name, 'live')
  assert.equal(network.dialled.length, 1)
})

test('a laptop that slept leaves a connection that died meanwhile', async () => {
  const { clock, network, comet, node, got } = await connected()
  node.isMute = true
  clock.sleep(3 * 3_600_000)
  node.insert('chat', 1)
  await clock.pass(30_000)
  node.isMute = false
  await clock.until(() => comet.state.name === 'live')
  await clock.pass(100)
  assert.ok(network.dialled.length > 1)
  assert.deepEqual(got, [1])
})

test('coming to the front asks at once whether the node is there', async () => {
  const { clock, node, comet, tab } = await connected()
  node.isMute = true
  tab.happens('visible')
  await clock.pass(4_100)
  assert.notEqual(comet.state.name, 'live')
})

test('move: elsewhere, within the time, without loss', async () => {
  const { clock, node, network, comet, got } = await connected({ node: ['node.example', 'other.example'] })
  network.nodes.set('other.example', node)
  for (const visitor of node.visitors) visitor.say({ is: 'move', within_seconds: 5 })
  for (let data = 0; data < 12; data += 1) {
    node.insert('chat', data)
    await clock.pass(500)
  }
  assert.equal(comet.state.name, 'live')
  assert.match(network.dialled.at(-1) ?? '', /other/)
  assert.deepEqual(got, Array.from({ length: 12 }, (_, data) => data))
})

test('4000: back at once', async () => {
  const { clock, node, comet, network } = await connected()
  await clock.pass(10_000)
  node.cut(4000, 'going away')
  await clock.pass(150)
  assert.equal(comet.state.name, 'live')
  assert.equal(network.dialled.length, 2)
})

test('a fatal refusal: stopped, saying why, until something is changed', async () => {
  for (const code of [4200, 4201, 4202, 4203, 1009]) {
    const { clock, node, comet, network, tab } = await connected()
    const waiting = comet.publish('web_x', 1)
    node.isMute = true
    await clock.pass(50)
    node.isMute = false
    node.refuses = { code, reason: 'because' }
    node.cut(code, 'because')
    await Promise.all([clock.pass(50), assert.rejects(waiting, new RegExp(`because \\(${code}\\)`))])
    assert.deepEqual(comet.state, { name: 'refused', code, reason: 'because' })
    tab.happens('online')
    await clock.pass(120_000)
    assert.equal(network.dialled.length, 1)
    node.refuses = undefined
    comet.restart({ user_key: 'another', user_id: 7 })
    await clock.until(() => comet.state.name === 'live')
  }
})

test('the back-forward cache: the page lets go, and takes up again where it was', async () => {
  const { clock, node, got, tab, comet } = await connected()
  node.insert('chat', 1)
  await clock.pass(100)
  tab.happens('hide')
  await clock.pass(100)
  assert.equal(node.visitors.size, 0)
  node.insert('chat', 2)
  tab.happens('show')
  await clock.until(() => comet.state.name === 'live')
  await clock.pass(100)
  node.insert('chat', 3)
  await clock.pass(100)
  assert.deepEqual(got, [1, 2, 3])
})

test('a stopped client is not woken by its page', async () => {
  const { clock, node, tab, comet } = await connected()
  comet.stop()
  for (const event of ['hide', 'show', 'online', 'visible'] as const) tab.happens(event)
  await clock.pass(1_000)
  assert.equal(node.visitors.size, 0)
})

test('without a WebSocket: one is passed, or it is said', async () => {
  const { tab, clock } = alone({ sharing: false, isPage: false })
  const { WebSocket, ...rest } = tab.world
  const bare = { ...rest, WebSocket: undefined }
  const without = new Comet({ node: 'node.example' }, bare)
  without.start()
  assert.match(JSON.stringify(without.state), /there is no WebSocket here/)
  const comet = new Comet({ node: 'node.example', WebSocket: WebSocket! }, bare)
  comet.start()
  await clock.until(() => comet.state.name === 'live')
  assert.equal(comet.isMaster, true)
})
