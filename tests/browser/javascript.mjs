// The JavaScript client against a real node: in a real browser, and all but the tabs in Node as well.
//
//   node javascript.mjs methods|tabs|restart|stream <the binary cometql> [in-node]
//
// Exits with 0 when all went well, with 1 and the reason otherwise.

import { chromium } from 'playwright-core'

import { NodeBrowser } from './node_page.mjs'
import { Node } from './node_process.mjs'

const DEADLINE_SECONDS = 120
const PARTS = { methods, tabs, restart, stream }
const USER = 7
const KEY = 'aHashOfAnn'

let node
const [name, binary, place] = process.argv.slice(2)
if (!binary || !PARTS[name]) fail(`usage: node javascript.mjs ${Object.keys(PARTS).join('|')} <the binary cometql>`)

let step = 'starting'
setTimeout(() => fail(`not done after ${DEADLINE_SECONDS} s, while ${step}`), DEADLINE_SECONDS * 1000).unref()

const complaints = []
node = await Node.start(binary)
const browser = place === 'in-node' ? new NodeBrowser() : await chromium.launch({
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
})
try {
  await PARTS[name]()
  expect(complaints.length === 0, complaints.join('; '))
  console.log(`ok: ${name}`)
} catch (error) {
  console.error(`not ok, while ${step}: ${error.stack}`)
  process.exitCode = 1
} finally {
  await browser.close()
  await node.end()
  // In Node the clients would try for ever to reach a node that is gone.
  if (place === 'in-node') process.exit()
}

async function methods() {
  step = 'preparing'
  await node.sql(`
    INSERT INTO users_auth (id, hash) VALUES (${USER}, '${KEY}');
    INSERT INTO users_data (id, data) VALUES (${USER}, '{"name":"Ann"}');
    INSERT INTO pipes_settings (name, length) VALUES ('web_kept', 10);
    INSERT INTO pipes_messages (name, event, message) VALUES ('web_kept', 'old', '{"n":1}'), ('web_kept', 'old', 'plain');
    INSERT INTO users_messages (id, event, message) VALUES (${USER}, 'note', 'while away')`)
  const [ann, ben] = [await visit(await browser.newContext()), await visit(await browser.newContext())]
  await classicLogins(ann, ben)
  await classicMessages(ann, ben)
  await classicQuestions(ann, ben)
  await modernMethods(ann, ben)
}

async function classicLogins(ann, ben) {
  step = 'connecting'
  expect(await ann.evaluate(() => cometApi.isAuthorized()) === undefined, 'nothing is known before the start')
  await ann.evaluate(([user_id, user_key]) => {
    window.told = []
    window.tell = name => ({ data, server_info }) => told.push({ name, data, ...server_info })
    cometApi.onAuthSuccess(() => told.push({ name: 'authorized' }))
    cometApi.subscription(['web_chat', 'msg.note', 'track_hall'], tell('list'))
    cometApi.subscription('#web_chat', tell('report'))
    cometApi.subscription(tell('all'))
    cometApi.subscription('user_status_7.online', tell('online'))
    cometApi.start({ ...where, dev_id: 0, user_id, user_key })
  }, [USER, KEY])
  await heard(ann, 'authorized', 1)
  await heard(ann, 'list', 1)
  expect(await ann.evaluate(() => cometApi.isAuthorized() && cometApi.isMaster() && cometApi.isConnected()), 'it is authorized and master')
  await ben.evaluate(() => {
    window.told = []
    window.tell = name => ({ data, server_info }) => told.push({ name, data, ...server_info })
    cometApi.onAuthFalill(() => told.push({ name: 'nobody' }))
    cometApi.subscription('web_chat.say', tell('say'))
    cometApi.Subscription('track_hall', tell('hall'))
    cometApi.start(where)
  })
  await heard(ben, 'nobody', 1)
}

async function classicMessages(ann, ben) {
  step = 'sending'
  await ann.waitForFunction(async () => new Promise(done => cometApi.count_users_in_pipe('web_chat', ({ data }) => done(data.user_in_pipe === 2))))
  const values = [`it's "q" \\ C:\\temp`, '123', 5, null, true, [1, { a: 'ü🚀' }]]
  await ann.evaluate(values => { for (const value of values) cometApi.web_pipe_send('web_chat', 'say', value) }, values)
  const said = await heard(ben, 'say', values.length)
  expect(same(said.map(({ data }) => data), values), `values arrive as they are: ${JSON.stringify(said)}`)
  expect(said.every(({ user_id, pipe, event }) => user_id === USER && pipe === 'web_chat' && event === 'say'), 'with user, pipe and event')
  const reports = await heard(ann, 'report', values.length)
  expect(reports.every(({ data }) => data.number_messages === 1), `one receiver: ${JSON.stringify(reports)}`)
  await ann.evaluate(() => cometApi.web_pipe_send('@web_chat', 'say', 'who?'))
  expect((await heard(ben, 'say', values.length + 1)).at(-1).user_id === 0, 'the user is hidden')
  expect((await all(ann, 'list')).every(({ pipe }) => pipe !== 'web_chat'), 'none of it comes back to the sender')
}

async function classicQuestions(ann, ben) {
  step = 'asking'
  const asked = await ann.evaluate(user => Promise.all([
    new Promise(done => cometApi.getTrackPipeUsers('track_hall', ({ data }) => done(data))),
    new Promise(done => cometApi.getUserData(user, ({ data }) => done(data))),
    new Promise(done => {
      const got = []
      cometApi.get_pipe_log('web_kept', ({ data, server_info }) => got.push([data, server_info.history]) === 2 && done(got))
    }),
  ]), USER)
  expect(asked[0].length === 2 && asked[0].some(({ user_id }) => user_id === USER), `who is there: ${JSON.stringify(asked[0])}`)
  expect(same(asked[1], { user_data: '{"name":"Ann"}', user_id: USER }), `the data of the user: ${JSON.stringify(asked[1])}`)
  expect(same(asked[2], [[{ n: 1 }, true], ['plain', true]]), `what was kept: ${JSON.stringify(asked[2])}`)

  step = 'being told'
  await node.sql(`INSERT INTO users_messages (id, event, message) VALUES (${USER}, 'note', '{"text":"now"}')`)
  const notes = (await heard(ann, 'list', 2, ({ pipe }) => pipe === 'msg')).filter(({ pipe }) => pipe === 'msg')
  expect(same(notes.map(({ data }) => data), ['while away', { text: 'now' }]), `private messages: ${JSON.stringify(notes)}`)
  await ben.evaluate(() => cometApi.unsubscriptionAll())
  const hall = await heard(ann, 'list', 2, ({ pipe }) => pipe === 'track_hall')
  expect(same(hall.filter(({ pipe }) => pipe === 'track_hall').map(({ event }) => event).slice(-2), ['subscription', 'unsubscription']),
    `who comes and goes: ${JSON.stringify(hall)}`)
  await ben.evaluate(() => cometApi.stop())
  expect(!await ben.evaluate(() => cometApi.isConnected()), 'stopped')
}

async function modernMethods(ann, ben) {
  step = 'the other face'
  const results = await ben.evaluate(async ([user_id, user_key]) => {
    const comet = window.comet = cometql.connect({ ...where, user_id, user_key })
    const got = []
    const loop = (async () => {
      for await (const { data, own, history } of comet.subscribe('web_kept', { last: 1 })) {
        got.push([data, own, history])
        if (got.length === 2) return
      }
    })()
    const published = await comet.publish('web_kept', { n: 2 }, { event: 'new' })
    await loop
    const track = comet.subscribe('track_hall')
    await track.ready
    return {
      got, published, user: comet.user, count: await comet.count('web_kept'), users: (await comet.users('track_hall')).length,
      data: await comet.userData(user_id), seen: (await comet.seen(user_id)).status, never: (await comet.seen(99)).status,
      history: (await comet.history('web_kept', { last: 2 })).map(({ data }) => data),
      refused: await comet.publish('chat', 1).catch(({ code }) => code),
    }
  }, [USER, KEY])
  const { published, ...rest } = results
  expect(published.position.length === 2 && published.uuid.length === 36, `published: ${JSON.stringify(published)}`)
  expect(same(rest, {
    got: [['plain', false, true], [{ n: 2 }, true, false]], user: USER, count: 0, users: 2, data: '{"name":"Ann"}', seen: 'online',
    never: 'unknown', history: ['plain', { n: 2 }], refused: 'forbidden',
  }), JSON.stringify(rest))
  await Promise.all([ann, ben].map(page => page.close()))
}

async function tabs() {
  step = 'having the pipe kept, so that a slow computer does not have a gap'
  await node.sql("INSERT INTO pipes_settings (name, length) VALUES ('web_stream', 1000)")
  const context = await browser.newContext()
  const pages = []
  for (let at = 0; at < 3; at += 1) {
    step = `opening tab ${at}`
    const page = await visit(context)
    pages.push(page)
    await listen(page, ['web_stream'])
  }
  const [first, ...others] = pages
  const isMaster = page => page.evaluate(() => cometApi.isMaster())
  expect(same(await Promise.all(pages.map(isMaster)), [true, false, false]), 'the first is the master')
  expect(await first.evaluate(() => cometApi.client.count('web_stream')) === 1, 'there is one connection')

  step = 'closing the master in mid-stream'
  const streaming = node.stream('web_stream', 1_200, 200)
  await first.waitForFunction(() => numbers.web_stream.length > 300)
  await first.close()
  await streaming
  for (const page of others) await complete(page, 'web_stream', 1_200)
  expect((await Promise.all(others.map(isMaster))).filter(Boolean).length === 1, 'there is one master again')
  expect(await others[0].evaluate(() => cometApi.client.count('web_stream')) === 1, 'and one connection')

  step = 'killing the process of the next master in mid-stream'
  const [master, last] = await isMaster(others[0]) ? others : others.toReversed()
  const again = node.stream('web_stream', 1_200, 200, 1_200)
  await last.waitForFunction(() => numbers.web_stream.length > 1_500)
  const crashed = master.waitForEvent('crash')
  const session = await context.newCDPSession(master)
  session.send('Page.crash').catch(() => {})
  await crashed
  step = 'waiting for the last tab to be master'
  await last.waitForFunction(() => cometApi.isMaster())
  step = 'waiting for the rest of the stream'
  await again
  await complete(last, 'web_stream', 2_400)
}

async function restart() {
  step = 'preparing'
  await node.sql("INSERT INTO pipes_settings (name, length) VALUES ('kept', 1000)")
  const pages = [await visit(await browser.newContext()), await visit(await browser.newContext())]
  for (const page of pages) await listen(page, ['kept', 'unkept'])
  await node.stream('kept', 100, 1_000)
  await node.stream('unkept', 10, 1_000)
  for (const page of pages) await complete(page, 'unkept', 10)

  step = 'killing the node, and publishing before they are back'
  await node.restart()
  await node.stream('kept', 100, 1_000, 100)
  for (const page of pages) await complete(page, 'kept', 200)

  step = 'a pipe that nobody keeps'
  for (const page of pages) await page.waitForFunction(() => gaps.includes('unkept'))
  await node.stream('unkept', 10, 1_000, 10)
  for (const page of pages) {
    await page.waitForFunction(() => numbers.unkept.at(-1) === 19)
    expect(same(await page.evaluate(() => gaps), ['unkept']), 'the one gap is the one that was provoked')
  }
}

async function stream() {
  const [page, late] = [await visit(await browser.newContext()), await visit(await browser.newContext())]
  await listen(page, ['stream'])
  step = 'a thousand messages a second, for ten seconds'
  const streaming = node.stream('stream', 10_000, 1_000)
  await page.waitForFunction(() => numbers.stream.length > 3_000)
  await listen(late, ['stream'])
  await streaming
  await complete(page, 'stream', 10_000)
  await late.waitForFunction(() => numbers.stream.at(-1) === 9_999)
  const joined = await late.evaluate(() => numbers.stream)
  expect(joined.every((number, at) => number === joined[0] + at), 'who comes in the middle has all from there')
}

/** Collects the numbers that come in pipes. */
async function listen(page, pipes) {
  await page.evaluate(pipes => {
    window.numbers = Object.fromEntries(pipes.map(pipe => [pipe, []]))
    window.gaps = []
    for (const pipe of pipes) cometApi.subscription(pipe, ({ data }) => numbers[pipe].push(data))
    cometApi.client.on('gap', ({ pipe }) => gaps.push(pipe))
    cometApi.start(where)
    window.ready = Promise.all(pipes.map(pipe => cometApi.client.subscribe(pipe, { onMessage() {} }).ready))
  }, pipes)
  await page.evaluate(() => ready)
}

async function complete(page, pipe, count) {
  await page.waitForFunction(([pipe, count]) => numbers[pipe].length >= count, [pipe, count])
  const numbers = await page.evaluate(pipe => numbers[pipe], pipe)
  const wrong = numbers.findIndex((number, at) => number !== at)
  expect(wrong === -1 && numbers.length === count, `${numbers.length} of ${count} in ${pipe}, from ${wrong} on: ${numbers.slice(wrong, wrong + 5)}`)
  expect(!(await page.evaluate(() => gaps)).includes(pipe), 'there is no gap')
}

async function visit(context) {
  const page = await context.newPage()
  page.setDefaultTimeout(DEADLINE_SECONDS * 1000)
  page.on('pageerror', error => complaints.push(`the page threw: ${error.message}`))
  await page.goto(`${node.url}info`)
  await page.addScriptTag({ url: `${node.url}CometServerApi.js` })
  // A page knows where it is from; in Node there is nothing to go by.
  await page.evaluate(where => { window.where = where }, place === 'in-node' ? { node: new URL(node.url).host } : {})
  return page
}

/** What a page has been told under a name, when that is so much. */
async function heard(page, name, count, isMeant = () => true) {
  const meant = isMeant.toString()
  await page.waitForFunction(([name, count, meant]) => {
    return told.filter(one => one.name === name && new Function('one', `return (${meant})(one)`)(one)).length >= count
  }, [name, count, meant])
  return all(page, name)
}

function all(page, name) {
  return page.evaluate(name => told.filter(one => one.name === name), name)
}

function same(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.keys(value).sort().map(key => [key, sorted(value[key])]))
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected: ${what}`)
}

function fail(reason) {
  console.error(`not ok: ${reason}`)
  node?.process.kill('SIGKILL')
  process.exit(1)
}
