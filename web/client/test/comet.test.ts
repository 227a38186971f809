// The modern face, method by method.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Comet, type Options } from '../src/comet.js'
import type { CometError } from '../src/errors.js'
import type { Message } from '../src/subscription.js'
import { memory } from '../src/world.js'
import { alone } from './world/browser.js'
import { FakeNode, type NodeOptions } from './world/node.js'

async function live(options: Options = {}, nodeOptions: NodeOptions = {}) {
  const world = alone()
  const node = world.network.node('node.example', new FakeNode(nodeOptions))
  node.addUser(7, 'key')
  const comet = new Comet({ node: 'node.example', ...options }, world.tab.world)
  comet.start()
  await world.clock.until(() => comet.state.name === 'live')
  const soon = async <Result>(promise: Promise<Result>): Promise<Result> => {
    const settled = promise.then(() => {}, () => {})
    await Promise.race([settled, world.clock.pass(60_001)])
    return promise
  }
  return { ...world, node, comet, soon }
}

const code = (expected: string) => (error: CometError) => error.code === expected

test('publish resolves to position, receivers and uuid', async () => {
  const { comet, node, soon } = await live({ user_id: 7, user_key: 'key' })
  const published = await soon(comet.publish('web_chat', { text: "it's" }, { event: 'say' }))
  assert.deepEqual(published.position, [node.pipe('web_chat').epoch, 1])
  assert.equal(published.receivers, 0)
  assert.match(published.uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const [message] = node.pipe('web_chat').messages
  assert.deepEqual([message?.data, message?.event, message?.user], [{ text: "it's" }, 'say', 7])
  await soon(comet.publish('web_chat', 1, { anonymous: true }))
  assert.equal(node.pipe('web_chat').messages[1]?.user, undefined)
})

test('the same uuid is the same message', async () => {
  const { comet, node, soon } = await live()
  const one = await soon(comet.publish('web_chat', 1, { uuid: 'same' }))
  const two = await soon(comet.publish('web_chat', 1, { uuid: 'same' }))
  assert.deepEqual(one, two)
  assert.equal(node.pipe('web_chat').head, 1)
})

test('a publish whose answer was lost is repeated, and is one message', async () => {
  const { comet, node, soon, clock } = await live()
  node.losesAnswersTo = 'publish'
  const waiting = comet.publish('web_chat', 1)
  await clock.pass(50)
  node.losesAnswersTo = undefined
  const { position } = await soon(waiting)
  assert.equal(position[1], 1)
  assert.equal(node.pipe('web_chat').head, 1)
  assert.equal(node.heard.filter(frame => frame.do === 'publish').length, 2)
})

test('a publish that nobody answers is rejected after a time', async () => {
  const { comet, node, clock } = await live({ timeout: 5_000 })
  node.isDown = true
  node.cut()
  const rejected = assert.rejects(comet.publish('web_chat', 1), code('unanswered'))
  await clock.pass(5_000)
  await rejected
  node.isDown = false
  await clock.until(() => comet.state.name === 'live', 120_000)
  await clock.pass(1_000)
  assert.equal(node.pipe('web_chat').head, 0, 'and is not sent afterwards')
})

test('a node that cannot at the moment is asked again', async () => {
  const { comet, node, soon } = await live()
  node.busyFor = 2
  assert.equal((await soon(comet.publish('web_chat', 1))).position[1], 1)
})

test('publishes that are refused', async () => {
  const { comet, soon } = await live({}, { messageBytesMax: 10 })
  await assert.rejects(soon(comet.publish('chat', 1)), code('forbidden'))
  await assert.rejects(soon(comet.publish('web_chat', 'longer than ten')), code('too_long'))
  await assert.rejects(soon(comet.publish('web_chat', undefined)), code('invalid'))
  await assert.rejects(soon(comet.publish('web chat', 1)), code('invalid'))
})

test('commands can be aborted, and fail when the client is stopped', async () => {
  const { comet, node, clock } = await live()
  node.isMute = true
  const controller = new AbortController()
  const aborted = assert.rejects(comet.count('web_chat', { signal: controller.signal }), code('aborted'))
  controller.abort()
  await aborted
  await assert.rejects(comet.count('web_chat', { signal: AbortSignal.abort() }), code('aborted'))
  const stopped = assert.rejects(comet.count('web_chat'), code('stopped'))
  await clock.pass(10)
  comet.stop()
  await stopped
})

test('history, count, users, userData, seen', async () => {
  const { comet, node, soon } = await live({ user_id: 7, user_key: 'key', uuid: 'browser' })
  node.keep('chat', 10)
  for (const data of [1, 2, 3]) node.insert('chat', data, 'e')
  const history: Message<number>[] = await soon(comet.history<number>('chat'))
  assert.deepEqual(history.map(({ data, history, pipe }) => [data, history, pipe]), [[1, true, 'chat'], [2, true, 'chat'], [3, true, 'chat']])
  assert.deepEqual((await soon(comet.history('chat', { last: 1 }))).map(({ data }) => data), [3])
  await assert.rejects(soon(comet.history('x y')), code('invalid'))

  await soon(comet.subscribe('web_chat').ready)
  assert.equal(await soon(comet.count('web_chat')), 1)
  await assert.rejects(soon(comet.count('chat')), code('forbidden'))
  await soon(comet.subscribe('track_hall').ready)
  assert.deepEqual(await soon(comet.users('track_hall')), [{ user: 7, uuid: 'browser' }])
  await assert.rejects(soon(comet.users('chat')), code('forbidden'))

  node.userData.set(5, '{"name":"Ann"}')
  assert.equal(await soon(comet.userData(5)), '{"name":"Ann"}')
  assert.equal(await soon(comet.userData(6)), '')
  node.seen.set(5, 1_700_000_000)
  assert.deepEqual(await soon(comet.seen(5)), { status: 'offline', seenAt: new Date(1_700_000_000_000) })
  assert.deepEqual(await soon(comet.seen(7)), { status: 'online', seenAt: undefined })
  assert.deepEqual(await soon(comet.seen(6)), { status: 'unknown', seenAt: undefined })
})

test('a subscription hands over messages with all that is known of them', async () => {
  const { comet, node, clock } = await live()
  const got: Message[] = []
  const { ready } = comet.subscribe('chat', { onMessage: message => got.push(message) })
  await clock.pass(50)
  assert.deepEqual(await ready, { position: [node.pipe('chat').epoch, 0], recovered: undefined })
  node.insert('chat', { a: 1 }, 'say', { uuid: 'u', user: 5 })
  node.insert('chat', 'plain \\ text')
  await clock.pass(50)
  assert.deepEqual(got[0], {
    pipe: 'chat', event: 'say', data: { a: 1 }, position: [node.pipe('chat').epoch, 1], uuid: 'u', time: new Date(1_700_000_000_123),
    user: 5, history: false, own: false,
  })
  assert.equal(got[1]?.data, 'plain \\ text')
  assert.equal(got[1]?.user, undefined)
})

test('own messages say so, wherever they come from', async () => {
  const { comet, node, soon, clock } = await live()
  node.keep('web_chat', 5)
  const got: boolean[] = []
  await soon(comet.subscribe('web_chat', { onMessage: ({ own }) => got.push(own) }).ready)
  await soon(comet.publish('web_chat', 1))
  node.insert('web_chat', 2)
  await clock.pass(50)
  assert.deepEqual(got, [true, false])
  assert.deepEqual((await soon(comet.history('web_chat'))).map(({ own }) => own), [true, false])
})

test('many pipes go out in one frame', async () => {
  const { comet, node, clock } = await live()
  for (let count = 0; count < 50; count += 1) comet.subscribe(`pipe_${count}`)
  await clock.pass(50)
  const frames = node.heard.filter(frame => frame.do === 'subscribe')
  assert.equal(frames.length, 1)
  assert.equal(frames[0]?.pipes.length, 50)
})

test('only one event', async () => {
  const { comet, node, clock } = await live()
  const got: unknown[] = []
  comet.subscribe('chat', { event: 'say', onMessage: ({ data }) => got.push(data) })
  await clock.pass(50)
  node.insert('chat', 1, 'say')
  node.insert('chat', 2, 'other')
  await clock.pass(50)
  assert.deepEqual(got, [1])
})

test('the past first, for the first subscription and for a later one, without a hole or a repetition', async () => {
  const { comet, node, clock } = await live()
  node.keep('chat', 5)
  for (let data = 1; data <= 8; data += 1) node.insert('chat', data)
  const first: string[] = []
  const later: string[] = []
  const show = ({ data, history }: Message) => `${data}${history ? ' past' : ''}`
  comet.subscribe('chat', { last: 2, onMessage: message => first.push(show(message)) })
  await clock.pass(50)
  node.insert('chat', 9)
  await clock.pass(50)
  comet.subscribe('chat', { last: 3, onMessage: message => later.push(show(message)) })
  for (let data = 10; data <= 14; data += 1) {
    node.insert('chat', data)
    await clock.pass(4)
  }
  await clock.pass(50)
  assert.deepEqual(first, ['7 past', '8 past', '9', '10', '11', '12', '13', '14'])
  assert.deepEqual(later.map(Number.parseFloat).slice(1), later.map(Number.parseFloat).slice(1).map((_, at) => Number.parseFloat(later[0] ?? '') + 1 + at))
  assert.equal(Number.parseFloat(later.at(-1) ?? ''), 14)
  assert.equal(later.filter(one => one.endsWith('past')).length, 3)
})

test('a page goes on where an earlier one has stopped, or is told what it has lost', async () => {
  const { comet, node, clock } = await live({}, { window: 3 })
  for (let data = 1; data <= 5; data += 1) node.insert('chat', data)
  const { epoch } = node.pipe('chat')
  const got: unknown[] = []
  const there = comet.subscribe('chat', { position: [epoch, 3], onMessage: ({ data }) => got.push(data) })
  await clock.pass(50)
  assert.deepEqual(await there.ready, { position: [epoch, 3], recovered: true })
  assert.deepEqual(got, [4, 5])
  assert.throws(() => comet.subscribe('chat', { position: [epoch, 3] }), code('invalid'))
  there.close()
  await clock.pass(50)
  const gaps: unknown[] = []
  comet.on('gap', gap => gaps.push(gap))
  const lost = comet.subscribe('chat', { position: [epoch, 1], onGap: gap => gaps.push(gap) })
  await clock.pass(50)
  assert.deepEqual(await lost.ready, { position: [epoch, 5], recovered: false })
  const gap = { pipe: 'chat', from: [epoch, 1], to: [epoch, 5] }
  assert.deepEqual(gaps, [gap, gap])
})

test('a loop over a subscription, and how it ends', async () => {
  const { comet, node, clock } = await live()
  const got: number[] = []
  const reading = (async () => {
    for await (const { data } of comet.subscribe<number>('chat')) {
      got.push(data)
      if (data === 3) break
    }
  })()
  await clock.pass(50)
  for (const data of [1, 2, 3, 4]) node.insert('chat', data)
  await clock.pass(50)
  await reading
  assert.deepEqual(got, [1, 2, 3])
  await clock.pass(50)
  assert.equal([...node.visitors][0]?.pipes.size, 0, 'the node was told')
})

test('a loop ends with its signal; what waited is still there', async () => {
  const { comet, node, clock } = await live()
  const controller = new AbortController()
  const subscription = comet.subscribe<number>('chat', { signal: controller.signal })
  await clock.pass(50)
  node.insert('chat', 1)
  await clock.pass(50)
  controller.abort()
  const got: number[] = []
  for await (const { data } of subscription) got.push(data)
  assert.deepEqual(got, [1])
  const aborted = comet.subscribe('chat', { signal: AbortSignal.abort() })
  await assert.rejects(aborted.ready, code('aborted'))
})

test('a loop that takes nothing is not fed for ever', async () => {
  const { comet, node, clock } = await live()
  const subscription = comet.subscribe('chat', { waitingMax: 5 })
  await clock.pass(50)
  for (let data = 0; data < 10; data += 1) node.insert('chat', data)
  await clock.pass(50)
  let count = 0
  await assert.rejects(async () => { for await (const _ of subscription) count += 1 }, code('too_slow'))
  assert.equal(count, 6)
})

test('nor is what waits for the past', async () => {
  const { comet, node, clock } = await live()
  comet.subscribe('chat')
  await clock.pass(50)
  const late = comet.subscribe('chat', { last: 5, waitingMax: 5, onMessage: () => assert.fail() })
  node.busyFor = 100
  await clock.pass(50)
  for (let data = 0; data < 10; data += 1) node.insert('chat', data)
  await clock.pass(50)
  await assert.rejects(async () => { for await (const _ of late) assert.fail() }, code('too_slow'))
})

test('a pipe that is refused: the loop ends with the error, callbacks wait for a login', async () => {
  const { comet, node, clock } = await live()
  const errors: string[] = []
  comet.on('error', ({ pipe, error }) => errors.push(`${pipe} ${error.code}`))
  const got: unknown[] = []
  const subscription = comet.subscribe('private_x', { onMessage: ({ data }) => got.push(data) })
  await clock.pass(50)
  await assert.rejects(subscription.ready, code('forbidden'))
  assert.deepEqual(errors, ['private_x forbidden'])
  await assert.rejects(async () => {
    const loop = comet.subscribe('private_y')
    await clock.pass(50)
    for await (const _ of loop) assert.fail()
  }, code('forbidden'))
  comet.restart({ user_id: 7, user_key: 'key' })
  await clock.pass(100)
  node.insert('private_x', 1)
  await clock.pass(50)
  assert.deepEqual(got, [1])
})

test('too many pipes', async () => {
  const { comet } = await live({}, { subscriptionsMax: 2 })
  comet.subscribe('aa')
  comet.subscribe('bb')
  assert.throws(() => comet.subscribe('cc'), code('too_many'))
  assert.throws(() => comet.subscribe('c'), code('invalid'))
  comet.subscribe('bb')
})

test('a callback that throws disturbs nobody', async () => {
  const { comet, node, clock } = await live()
  const reported: unknown[] = []
  const { error } = console
  console.error = (what: unknown) => reported.push(what)
  try {
    const got: unknown[] = []
    comet.subscribe('chat', { onMessage: () => { throw new Error('mine') } })
    comet.subscribe('chat', { onMessage: ({ data }) => got.push(data) })
    await clock.pass(50)
    node.insert('chat', 1)
    node.insert('chat', 2)
    await clock.pass(50)
    assert.deepEqual(got, [1, 2])
    assert.equal(reported.length, 2)
  } finally {
    console.error = error
  }
})

test('events: state, welcome, message, and how not to be told any more', async () => {
  const { comet, node, clock } = await live({ user_id: 7, user_key: 'key' })
  assert.equal(comet.user, 7)
  const told: string[] = []
  const controller = new AbortController()
  const off = comet.on('message', ({ pipe, data }) => told.push(`${pipe} ${data}`))
  comet.on('welcome', user => told.push(`welcome ${user}`), { signal: controller.signal })
  comet.on('state', () => told.push('never'), { signal: AbortSignal.abort() })
  comet.subscribe('aa')
  comet.subscribe('bb')
  await clock.pass(50)
  node.insert('aa', 1)
  node.insert('bb', 2)
  await clock.pass(50)
  off()
  comet.restart({ user_key: 'wrong' })
  await clock.pass(50)
  assert.equal(comet.user, null)
  controller.abort()
  comet.restart()
  await clock.pass(50)
  node.insert('aa', 3)
  await clock.pass(50)
  assert.deepEqual(told, ['aa 1', 'bb 2', 'welcome null'])
})

test('private messages: what no device has taken, then on from there, each once', async () => {
  const { comet, node, clock } = await live()
  node.insertForUser(7, 'while away', 'note')
  const got: unknown[] = []
  comet.subscribe('msg', { onMessage: ({ data, pipe }) => got.push([pipe, data]) })
  comet.restart({ user_id: 7, user_key: 'key' })
  await clock.pass(100)
  assert.equal(node.users.get(7)?.taken, 1)
  node.insertForUser(7, 'now')
  await clock.pass(100)
  node.cut()
  node.insertForUser(7, 'while cut off')
  await clock.pass(10_000)
  assert.deepEqual(got, [['msg', 'while away'], ['msg', 'now'], ['msg', 'while cut off']])
  assert.equal(node.users.get(7)?.taken, 3)
})

test('private messages that come before anybody wants them', async () => {
  const { comet, node, clock } = await live({ user_id: 7, user_key: 'key' })
  node.insertForUser(7, 1)
  await clock.pass(50)
  assert.equal(node.users.get(7)?.taken, 0)
  const got: unknown[] = []
  comet.subscribe('msg', { onMessage: ({ data }) => got.push(data) })
  assert.deepEqual(got, [], 'not before subscribe has returned')
  node.insertForUser(7, 2)
  await clock.pass(50)
  assert.deepEqual(got, [1, 2])
  assert.equal(node.users.get(7)?.taken, 2)
})

test('it remembers what it calls itself, and says what it was told to', async () => {
  const { comet, browser, tab } = await live()
  assert.match(comet.uuid, /^[A-Za-z0-9_-]{32}$/)
  assert.equal(browser.storage.get('comet_server_uuid'), comet.uuid)
  assert.equal(new Comet({}, tab.world).uuid, comet.uuid)
  assert.equal(new Comet({ uuid: 'mine' }, tab.world).uuid, 'mine')
  const forbidden = { getItem: () => { throw new Error('no') }, setItem: () => { throw new Error('no') } }
  const shy = new Comet({}, { ...tab.world, storage: memory(() => forbidden) })
  assert.equal(shy.uuid, shy.uuid)
})
