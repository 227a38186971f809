// The original's API, method by method, as the user's page has it.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CometServerApi, type ClassicMessage, type ClassicOptions } from '../src/classic.js'
import { alone, Tab } from './world/browser.js'
import { chance } from './world/clock.js'

type Told = [name: string, data: unknown]

async function live(options: ClassicOptions = {}) {
  const world = alone()
  world.node.addUser(7, 'key')
  const api = new CometServerApi({}, world.tab.world)
  const other = new CometServerApi({}, new Tab(world.browser, { sharing: false }).world)
  api.start({ node: 'node.example', dev_id: 3, uuid: 'A'.repeat(32), ...options })
  other.start({ node: 'node.example', dev_id: 3, uuid: 'B'.repeat(32) })
  await world.clock.until(() => api.isConnected() && other.isConnected())
  const told: Told[] = []
  const tell = (name: string) => ({ data }: ClassicMessage) => { told.push([name, data]) }
  return { ...world, api, other, told, tell, turn: () => world.clock.pass(50) }
}

/** Errors are printed, too; here they are looked at. */
async function quietly<Result>(body: () => Result | Promise<Result>): Promise<{ result: Result, printed: string[] }> {
  const printed: string[] = []
  const { error } = console
  console.error = (...what: unknown[]) => { printed.push(what.join(' ')) }
  try {
    return { result: await body(), printed }
  } finally {
    console.error = error
  }
}

test('start answers true and calls back once, when connected', async () => {
  const { clock, tab } = alone()
  const api = new CometServerApi({}, tab.world)
  let called = 0
  assert.equal(api.isConnected(), false)
  assert.equal(api.start({ node: 'node.example' }, () => { called += 1 }), true)
  assert.equal(called, 0)
  await clock.until(() => api.isConnected())
  assert.equal(called, 1)
  api.start({}, () => { called += 1 })
  api.restart({}, () => { called += 1 })
  await clock.pass(100)
  assert.equal(called, 3)
  assert.equal(api.stop(), true)
  assert.equal(api.isConnected(), false)
})

test('all the ways to name a node', async () => {
  const ways: [ClassicOptions, string][] = [
    [{ node: 'node.example:8087' }, 'ws://node.example:8087/ws/v=5&devid=0'],
    [{ node: ['node.example', 'b.example'] }, 'ws://node.example/ws/v=5&devid=0'],
    [{ node: 'b.example', nodes: ['node.example/comet-server'] }, 'ws://node.example/comet-server/ws/v=5&devid=0'],
    [{ nodeArray: ['node.example'], dev_id: '15' }, 'ws://node.example/ws/v=5&devid=15'],
    [{ node: 'node.example', wss: true }, 'wss://node.example/ws/v=5&devid=0'],
    [{ node: 'node.example', protocol: 'wss' }, 'wss://node.example/ws/v=5&devid=0'],
    [{ node: ['a.example', 'b.example'], roundrobin: true, user_id: 7, user_key: 'k' }, 'ws://b.example/ws/v=5&devid=0'],
  ]
  for (const [options, url] of ways) {
    const { clock, tab, network } = alone()
    const api = new CometServerApi({}, tab.world)
    api.start({ nostat: true, ...options })
    await clock.pass(20)
    assert.equal(network.dialled[0], url)
    api.stop()
  }
})

test('subscription: pipe, pipe.event, everything, in all spellings', async () => {
  const { api, node, told, tell, turn } = await live()
  api.subscription('chat', tell('chat'))
  api.subscription('chat.say', tell('chat.say'))
  api.Subscription('chat.other', tell('chat.other'))
  api.subscription(tell('function'))
  api.subscription('', tell('empty'))
  api.subscription('news')
  await turn()
  node.insert('chat', 1, 'say')
  node.insert('news', 2)
  await turn()
  assert.deepEqual(told, [['chat', 1], ['chat.say', 1], ['function', 1], ['empty', 1], ['function', 2], ['empty', 2]])
})

test('subscription: lists, one a line or in an array', async () => {
  const { api, node, told, tell, turn } = await live()
  const lines = api.subscription('aa\nbb.say', tell('lines'))
  const array = api.Subscription(['cc', 'dd'], tell('array'))
  assert.ok(Array.isArray(lines) && lines.length === 2 && Array.isArray(array))
  await turn()
  node.insert('aa', 1)
  node.insert('bb', 2, 'say')
  node.insert('bb', 3, 'other')
  node.insert('dd', 4)
  await turn()
  assert.deepEqual(told, [['lines', 1], ['lines', 2], ['array', 4]])
  assert.equal(api.unsubscription(lines), true)
  await turn()
  assert.deepEqual([...[...node.visitors][0]!.pipes], ['cc', 'dd'])
})

test('subscription refuses what is no name', async () => {
  const { api } = await live()
  const { result, printed } = await quietly(() => ['a', 'no good', 'a.b.c', 'x'.repeat(65), undefined as never].map(name => api.subscription(name)))
  assert.deepEqual(result, [false, false, false, false, false])
  assert.equal(printed.length, 5)
})

test('unsubscription ends it here and at the node, and says whether there was something to end', async () => {
  const { api, node, told, tell, turn } = await live()
  const one = api.subscription('chat.say', tell('one'))
  const two = api.subscription('chat', tell('two'))
  assert.match(String(one), /^chat\.say&&sig\d+$/)
  await turn()
  assert.equal(api.unsubscription(one as string), true)
  assert.equal(api.unsubscription(one as string), false)
  assert.equal(api.unsubscription(), false)
  node.insert('chat', 1, 'say')
  await turn()
  assert.deepEqual(told, [['two', 1]])
  api.unsubscription(two as string)
  await turn()
  assert.equal(node.heard.filter(frame => frame.do === 'unsubscribe').length, 1)
  api.subscription(['aa', 'bb'], tell('x'))
  assert.equal(api.unsubscriptionAll(), true)
  await turn()
  node.insert('aa', 1)
  await turn()
  assert.equal(told.length, 1)
})

test('what a callback gets', async () => {
  const { api, other, turn, node } = await live({ user_id: 7, user_key: 'key' })
  const got: ClassicMessage[] = []
  other.subscription('web_chat', message => got.push(message))
  await turn()
  api.web_pipe_send('web_chat', 'say', { text: 'hi' })
  await turn()
  node.insert('web_chat', 'plain', 'e')
  await turn()
  const { epoch } = node.pipe('web_chat')
  const { uuid } = got[0]!.server_info
  assert.match(uuid ?? '', /^[0-9a-f-]{36}$/)
  assert.deepEqual(got, [
    { data: { text: 'hi' }, server_info: { event: 'say', pipe: 'web_chat', history: false, marker: undefined, user_id: 7, uuid, position: [epoch, 1] } },
    { data: 'plain', server_info: { event: 'e', pipe: 'web_chat', history: false, marker: undefined, user_id: 0, uuid: undefined, position: [epoch, 2] } },
  ])
})

test('web_pipe_send: its forms, and that values arrive as they are', async () => {
  const { api, other, told, tell, turn } = await live()
  other.subscription('web_chat', tell('chat'))
  other.subscription('web_chat.say', tell('say'))
  await turn()
  const values = ["it's \\ \"q\"", '123', 5, null, true, [1], { a: { b: 'ü🚀' } }]
  for (const value of values) assert.equal(api.web_pipe_send('web_chat', 'say', value), true)
  await turn()
  assert.deepEqual(told.filter(([name]) => name === 'say').map(([, data]) => data), values)
  told.length = 0
  api.web_pipe_send('web_chat.say', 1)
  api.web_pipe_send('web_chat', 2)
  await turn()
  assert.deepEqual(told, [['chat', 1], ['say', 1], ['chat', 2]])
})

test('web_pipe_send: who sends gets none of it, and misses nothing of the others', async () => {
  const { api, other, told, tell, turn, node, clock } = await live()
  api.subscription('web_chat', tell('mine'))
  api.subscription(tell('all'))
  other.subscription('web_chat', tell('other'))
  await turn()
  api.web_pipe_send('web_chat', 'e', 1)
  await turn()
  other.web_pipe_send('web_chat', 'e', 2)
  await turn()
  node.cut()
  await clock.pass(5_000)
  assert.deepEqual(told, [['other', 1], ['mine', 2], ['all', 2]])
})

test('web_pipe_send: @ hides the user, and only web_ and webauth_ will do', async () => {
  const { api, other, node, turn } = await live({ user_id: 7, user_key: 'key' })
  const users: number[] = []
  other.subscription('web_chat\nwebauth_chat', ({ server_info }) => users.push(server_info.user_id))
  await turn()
  api.web_pipe_send('@web_chat', 'e', 1)
  api.web_pipe_send('webauth_chat', 'e', 1)
  await turn()
  assert.deepEqual(users, [0, 7])
  const { result } = await quietly(() => [api.web_pipe_send('chat', 'e', 1), api.web_pipe_send('', 'e', 1), api.web_pipe_send('web_chat', undefined)])
  assert.deepEqual(result, [undefined, undefined, false])
  assert.equal(node.heard.filter(frame => frame.do === 'publish').length, 2)
})

test('web_pipe_send before there is a connection: false, and it is sent when there is one', async () => {
  const { clock, tab, node } = alone()
  const api = new CometServerApi({}, tab.world)
  assert.equal(api.web_pipe_send('web_chat', 'e', 1), false)
  api.start({ node: 'node.example' })
  await clock.pass(100)
  assert.equal(node.pipe('web_chat').head, 1)
})

test('delivery reports', async () => {
  const { api, other, turn } = await live()
  const got: ClassicMessage[] = []
  api.subscription('#web_chat', message => got.push(message))
  api.subscription('_answer_to_web_chat', message => got.push(message))
  other.subscription('web_chat')
  await turn()
  api.web_pipe_send('web_chat', 'e', { a: 1 })
  await turn()
  assert.equal(got.length, 2)
  assert.deepEqual(got[0]?.data, { number_messages: 1, message: { a: 1 } })
  assert.equal(got[0]?.server_info.pipe, '_answer_to_web_chat')
  assert.equal(got[0]?.server_info.event, 'answer')
})

test('what goes wrong reaches who has subscribed to sys', async () => {
  const { api, turn, told, tell } = await live()
  api.subscription('sys', tell('sys'))
  const { printed } = await quietly(async () => {
    api.web_pipe_send('webauth_chat', 'e', 1)
    api.subscription('private_x')
    await turn()
  })
  assert.deepEqual(told, [
    ['sys', { error: 'refused with 403', code: '403', pipe: 'private_x' }],
    ['sys', { error: 'refused with 403', error_code: 403, number_messages: -1 }],
  ])
  assert.equal(printed.length, 2)
})

test('multi_web_pipe_send arrives once', async () => {
  const { api, other, told, tell, turn, clock } = await live()
  other.subscription('web_chat', tell('other'))
  await turn()
  assert.equal(api.multi_web_pipe_send('web_chat', 'e', { a: 1 }, 3, 100), true)
  await clock.pass(1_000)
  assert.deepEqual(told, [['other', { a: 1 }]])
})

test('get_pipe_log: to the callback, or to who has subscribed, marked as history', async () => {
  const { api, node, turn, told, tell } = await live()
  node.keep('web_chat', 10)
  node.insert('web_chat', 1, 'say')
  node.insert('web_chat', 2, 'other')
  const got: ClassicMessage[] = []
  api.subscription('web_chat', tell('chat'))
  api.subscription('web_chat.say', tell('say'))
  api.subscription(tell('all'))
  await turn()
  assert.equal(api.get_pipe_log('web_chat', message => got.push(message)), true)
  await turn()
  assert.deepEqual(got.map(({ data, server_info }) => [data, server_info.history, server_info.event]), [[1, true, 'say'], [2, true, 'other']])
  assert.match(got[0]?.server_info.marker ?? '', /^\d{10}$/)
  assert.deepEqual(told, [])
  api.get_pipe_log('web_chat')
  await turn()
  assert.deepEqual(told, [['chat', 1], ['say', 1], ['all', 1], ['chat', 2], ['all', 2]])
  const { result } = await quietly(() => api.get_pipe_log('no good'))
  assert.equal(result, undefined)
})

test('count_users_in_pipe, under both names', async () => {
  const { api, other, turn } = await live()
  other.subscription('web_chat')
  api.subscription('web_chat')
  await turn()
  const counts: number[] = []
  assert.equal(api.count_users_in_pipe('web_chat', ({ data }) => counts.push(data.user_in_pipe, data[1])), true)
  api.count_user_in_pipe('web_chat', ({ data }) => counts.push(data.user_in_pipe))
  api.count_users_in_pipe('web_chat')
  await turn()
  assert.deepEqual(counts, [2, 2, 2])
  const { result } = await quietly(() => api.count_users_in_pipe('chat', () => assert.fail()))
  assert.equal(result, undefined)
})

test('getTrackPipeUsers, and who comes and goes', async () => {
  const { api, other, node, turn } = await live({ user_id: 7, user_key: 'key' })
  const events: unknown[] = []
  api.subscription('track_hall.subscription', ({ data }) => events.push(['comes', data.uuid]))
  api.Subscription('track_hall.unsubscription', ({ data }) => events.push(['goes', data.uuid]))
  await turn()
  const id = other.subscription('track_hall')
  await turn()
  let users: unknown
  assert.equal(api.getTrackPipeUsers('track_hall', ({ data }) => { users = data }), true)
  await turn()
  assert.deepEqual(users, [{ user_id: 7, uuid: 'A'.repeat(32) }, { user_id: 0, uuid: 'B'.repeat(32) }])
  other.unsubscription(id as string)
  await turn()
  assert.deepEqual(events, [['comes', 'B'.repeat(32)], ['goes', 'B'.repeat(32)]])
  assert.equal(node.heard.filter(frame => frame.do === 'subscribe').length, 2, 'one for each of the two')
  const { result } = await quietly(() => api.getTrackPipeUsers('hall'))
  assert.equal(result, undefined)
})

test('getUserData: the text as it was stored', async () => {
  const { api, node, turn } = await live()
  node.userData.set(5, '{"n":1}')
  const got: unknown[] = []
  api.getUserData(5, ({ data }) => got.push(data))
  api.getUserData('6', ({ data }) => got.push(data))
  await turn()
  assert.deepEqual(got, [{ user_data: '{"n":1}', user_id: 5 }, { user_data: '', user_id: 6 }])
  const { result } = await quietly(() => api.getUserData('x'))
  assert.equal(result, undefined)
})

test('authorization: undefined, false or true, and who is told of a change', async () => {
  const { clock, tab, node } = alone()
  node.addUser(7, 'key')
  const api = new CometServerApi({}, tab.world)
  const told: string[] = []
  api.onAuthSuccess(() => told.push('success'))
  api.onAuthFalill(() => told.push('fail'))
  api.onAuthFail(() => told.push('fail, spelled right'))
  assert.equal(api.isAuthorized(), undefined)
  api.start({ node: 'node.example', user_id: 7, user_key: 'wrong' })
  assert.equal(api.isAuthorized(), undefined)
  await clock.pass(100)
  assert.equal(api.isAuthorized(), false)
  api.restart({ user_key: 'key' })
  await clock.pass(100)
  assert.equal(api.isAuthorized(), true)
  assert.equal(api.getRealUserKey(), 'key')
  node.cut()
  await clock.pass(10_000)
  assert.equal(api.isConnected(), true)
  assert.deepEqual(told, ['fail', 'fail, spelled right', 'success'], 'the same again is no change')
})

test('private messages: msg and msg.event', async () => {
  const { api, node, told, tell, turn } = await live({ user_id: 7, user_key: 'key' })
  api.subscription('msg', tell('msg'))
  api.subscription('msg.note', tell('msg.note'))
  await turn()
  node.insertForUser(7, { a: 1 }, 'note')
  node.insertForUser(7, 2, 'other')
  await turn()
  assert.deepEqual(told, [['msg', { a: 1 }], ['msg.note', { a: 1 }], ['msg', 2]])
})

test('user_status_N.online and .offline', async () => {
  const { api, node, told, tell, turn } = await live()
  api.subscription('user_status_12.online', tell('online'))
  api.subscription('user_status_12.offline', tell('offline'))
  await turn()
  node.insert('user_status_12', 'online', 'online')
  node.insert('user_status_12', 'offline', 'offline')
  await turn()
  assert.deepEqual(told, [['online', 'online'], ['offline', 'offline']])
})

test('isMaster is true for who is alone', async () => {
  const { api } = await live()
  assert.equal(api.isMaster(), true)
  assert.equal(new CometServerApi({}, alone().tab.world).isMaster(), undefined)
})

test('what it says about itself', async () => {
  const { api, tab } = await live({ user_id: 7, user_key: 'key' })
  assert.deepEqual([api.getUserId(), api.getUserKey(), api.getDevId(), api.getUUID()], [7, 'key', 3, 'A'.repeat(32)])
  assert.match(api.getTabUUID(), /^[A-Za-z0-9_-]{16}$/)
  assert.equal(api.getTabUUID(), api.getTabUUID())
  assert.equal(api.setRealUserKey('other'), true)
  assert.equal(api.getRealUserKey(), 'other')
  assert.match(api.getCustomString(), /^\d{10}$/)
  assert.notEqual(api.getCustomString(), api.getCustomString())
  assert.equal(api.options.user_id, 7)
  assert.equal(api.client.uuid, api.getUUID())
  assert.equal(api.sendStatistics(), undefined)
  assert.equal(new CometServerApi({}, tab.world).getDevId(), 0)
})

test('TLS and addresses', async () => {
  const { api } = await live()
  assert.deepEqual([api.UseWebSocket(), api.UseWebSocket(false), api.isUseWss()], [true, true, false])
  assert.equal(api.getUrl(), 'ws://node.example/ws/v=5&devid=3')
  assert.equal(api.UseWss(true), true)
  assert.equal(api.getUrl(), 'wss://node.example/ws/v=5&devid=3')
  assert.equal(api.getUrl('b.example'), 'wss://b.example/ws/v=5&devid=3')
  assert.equal(api.UseWss(), false)
  assert.equal(api.getUrl(), 'ws://node.example/ws/v=5&devid=3')
})

test('the log level is remembered, and the key is never printed', async () => {
  const { api, tab, turn } = await live()
  assert.equal(api.getLogLevel(), 0)
  api.setLogLevel(3)
  assert.equal(new CometServerApi({}, tab.world).getLogLevel(), 3)
  const printed: string[] = []
  const { log } = console
  console.log = (...what: unknown[]) => { printed.push(what.join(' ')) }
  try {
    api.restart({ user_id: 7, user_key: 'secret' })
    await turn()
  } finally {
    console.log = log
  }
  assert.ok(printed.some(line => line.includes('"do":"hello"')))
  assert.ok(!printed.join().includes('secret'))
})

test('a callback that throws disturbs nobody', async () => {
  const { api, node, told, tell, turn } = await live()
  api.subscription('chat', () => { throw new Error('mine') })
  api.subscription('chat', tell('chat'))
  await turn()
  const { printed } = await quietly(async () => {
    node.insert('chat', 1)
    await turn()
  })
  assert.deepEqual(told, [['chat', 1]])
  assert.equal(printed.length, 1)
})

test('Base64 and stripslashes', () => {
  const { Base64, stripslashes } = new CometServerApi({}, alone().tab.world)
  assert.equal(Base64.encode('Привет, it’s 🚀'), Buffer.from('Привет, it’s 🚀').toString('base64'))
  const random = chance(5)
  for (let length = 0; length < 50; length += 1) {
    const text = String.fromCodePoint(...Array.from({ length }, () => Math.floor(random() * 0xd800)))
    assert.equal(Base64.decode(Base64.encode(text)), text)
  }
  assert.equal(stripslashes(String.raw`it\'s \\ \"x\"`), String.raw`it's \ "x"`)
})
