// What a session says and makes of what it hears, without a socket.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CometError } from '../src/errors.js'
import type { ClientFrame, NodeFrame, Position } from '../src/frames.js'
import { Session } from '../src/session.js'

const welcome: NodeFrame = { is: 'welcome', user: null, message_bytes_max: 20, subscriptions_max: 2 }
const publish = (data: unknown, uuid = 'u') => ({ do: 'publish', pipe: 'web_p', data, uuid }) as const
const subscribed = (id: number, pipe: string, index: number): NodeFrame => ({ is: 'subscribed', id, pipe, position: [7, index] })
const message = (pipe: string, index: number): NodeFrame => ({ is: 'message', pipe, event: '', data: index, position: [7, index] })
const said = (frames: ClientFrame[]) => frames.map(frame => JSON.stringify(frame))

function live(): Session {
  const session = new Session({ uuid: 'me' })
  session.opened()
  session.receive(welcome)
  return session
}

test('who logs in says so in the first frame, and nobody else does', () => {
  assert.deepEqual(new Session({ uuid: 'me' }).opened(), [{ do: 'hello', uuid: 'me' }])
  assert.deepEqual(new Session({ uuid: 'me', user: 7, key: 'k' }).opened(), [{ do: 'hello', uuid: 'me', user: 7, key: 'k' }])
})

test('all pipes go out in one frame, and again with their positions in the next connection', () => {
  const session = new Session({ uuid: 'me' })
  session.subscribe('aa')
  session.subscribe('bb', { last: 3 })
  assert.deepEqual(session.opened()[1], { do: 'subscribe', id: 1, pipes: [{ pipe: 'aa' }, { pipe: 'bb', last: 3 }] })
  assert.deepEqual(session.flush(), [], 'only once')
  session.receive(subscribed(1, 'aa', 4))
  session.receive(message('aa', 5))
  session.closed()
  assert.deepEqual(session.opened()[1], { do: 'subscribe', id: 2, pipes: [{ pipe: 'aa', position: [7, 5] }, { pipe: 'bb', last: 3 }] })
})

test('what is given up is unsubscribed; what was never asked for is not', () => {
  const session = live()
  session.subscribe('aa')
  session.unsubscribe('aa')
  assert.deepEqual(session.flush(), [])
  session.subscribe('aa')
  session.flush()
  session.unsubscribe('aa')
  session.subscribe('aa')
  assert.deepEqual(session.flush().map(frame => frame.do), ['unsubscribe', 'subscribe'])
})

test('commands wait for the welcome, keep their order, and are repeated as they were', () => {
  const session = new Session({ uuid: 'me' })
  session.command(publish(1))
  session.command({ do: 'count', pipe: 'web_p' })
  assert.equal(session.opened().length, 1)
  session.receive(welcome)
  const first = said(session.flush())
  assert.equal(first.length, 2)
  assert.deepEqual(session.flush(), [])
  session.receive({ is: 'answer', id: 2, count: 1 })
  session.closed()
  session.opened()
  assert.deepEqual(session.flush(), [], 'not before the welcome')
  session.receive(welcome)
  assert.deepEqual(said(session.flush()), [first[0]], 'with the same id and uuid')
})

test('the limits of the welcome hold', () => {
  const session = new Session({ uuid: 'me' })
  const early = session.command(publish('this is longer than twenty bytes'))
  session.opened()
  const effects = session.receive(welcome)
  assert.deepEqual(effects.map(effect => effect.kind), ['welcome', 'failed'])
  assert.ok(effects[1]?.kind === 'failed' && effects[1].id === early && effects[1].error.code === 'too_long')
  assert.throws(() => session.command(publish('ü'.repeat(10))), (error: CometError) => error.code === 'too_long' && /20 bytes.*22/.test(error.message))
  session.subscribe('aa')
  session.subscribe('bb')
  session.subscribe('bb')
  assert.throws(() => session.subscribe('cc'), (error: CometError) => error.code === 'too_many' && /more than 2 pipes/.test(error.message))
})

test('what waits is bounded', () => {
  const session = new Session({ uuid: 'me' })
  for (let count = 0; count < 1_000; count += 1) session.command(publish(count, `u${count}`))
  assert.throws(() => session.command(publish(0)), (error: CometError) => error.code === 'too_many')
  session.abandon(1)
  session.command(publish(0))
  const large = new Session({ uuid: 'me' })
  for (let count = 0; count < 4; count += 1) large.command(publish('x'.repeat(1_000_000)))
  assert.throws(() => large.command(publish('x'.repeat(1_000_000))), (error: CometError) => error.code === 'too_many')
})

test('what is no JSON value cannot be published', () => {
  assert.throws(() => new Session({ uuid: 'me' }).command(publish(undefined)), (error: CometError) => error.code === 'invalid')
})

test('a refused pipe says so; one that is refused for now is asked for again', () => {
  const session = live()
  session.subscribe('aa')
  session.subscribe('bb')
  session.flush()
  const refused = session.receive({ is: 'error', id: 1, code: 403, text: 'no', pipe: 'aa' })
  assert.ok(refused[0]?.kind === 'refused' && refused[0].pipe === 'aa' && refused[0].error.code === 'forbidden')
  assert.deepEqual(session.receive({ is: 'error', id: 1, code: 503, text: 'later', pipe: 'bb' }), [{ kind: 'tired' }])
  assert.deepEqual(session.flush(), [])
  session.rested()
  assert.deepEqual(session.flush(), [{ do: 'subscribe', id: 2, pipes: [{ pipe: 'bb' }] }])
})

test('a command that is refused fails; one that is refused for now is repeated', () => {
  const session = live()
  const id = session.command({ do: 'count', pipe: 'web_p' })
  const [frame] = session.flush()
  assert.deepEqual(session.receive({ is: 'error', id, code: 503, text: 'later' }), [{ kind: 'tired' }])
  assert.deepEqual(session.flush(), [])
  session.rested()
  assert.deepEqual(session.flush(), [frame])
  const [failed] = session.receive({ is: 'error', id, code: 403, text: 'no' })
  assert.ok(failed?.kind === 'failed' && failed.error.number === 403)
  assert.deepEqual(session.receive({ is: 'error', code: 400, text: 'what?' }), [], 'an error about nothing is nobody’s')
})

test('pages of a history are put together', () => {
  const session = live()
  const id = session.command({ do: 'history', pipe: 'aa' })
  session.flush()
  const page = (index: number, more: boolean): NodeFrame => ({ is: 'history', id, pipe: 'aa', more, messages: [{ event: '', data: index, position: [7, index] }] })
  assert.deepEqual(session.receive(page(1, true)), [])
  const [answered] = session.receive(page(2, false))
  assert.ok(answered?.kind === 'answered')
  assert.deepEqual(answered.messages.map(({ data }) => data), [1, 2])
})

test('one knows one’s own messages', () => {
  const session = live()
  session.command(publish(1, 'mine'))
  assert.ok(session.isOwn('mine') && !session.isOwn('other') && !session.isOwn(undefined))
  for (let count = 0; count < 5_000; count += 1) session.abandon(session.command(publish(1, `u${count}`)))
  assert.ok(!session.isOwn('mine'), 'not for ever')
})

test('what a client does not know it ignores', () => {
  assert.deepEqual(live().receive({ is: 'weather', pipe: 'aa' } as never), [])
  assert.deepEqual(live().receive(message('unknown', 1)), [])
  assert.deepEqual(live().receive({ is: 'answer', id: 99 }), [])
})

test('private messages wait for somebody who wants them, and are taken then', () => {
  const session = new Session({ uuid: 'me', user: 7, key: 'k' })
  const log = (position: Position): NodeFrame => ({ is: 'subscribed', pipe: 'msg', position })
  session.opened()
  session.receive({ ...welcome, user: 7 } as NodeFrame)
  assert.deepEqual(session.receive(log([3, 0])), [])
  assert.deepEqual(session.receive({ is: 'message', pipe: 'msg', event: '', data: 'hi', position: [3, 1] }), [])
  assert.deepEqual(session.flush(), [], 'nothing has been taken')
  assert.deepEqual(session.listenToLog().map(news => news.kind), ['message'])
  assert.deepEqual(session.flush(), [{ do: 'taken', position: [3, 1] }])
  assert.deepEqual(session.flush(), [])
  session.closed()
  assert.deepEqual(session.opened()[0], { do: 'hello', uuid: 'me', user: 7, key: 'k', position: [3, 1] })
  session.receive({ ...welcome, user: 7 } as NodeFrame)
  assert.deepEqual(session.flush(), [{ do: 'taken', position: [3, 1] }], 'the first may have been lost')
})

test('who has not looked at private messages gets them anew with the next connection', () => {
  const session = new Session({ uuid: 'me', user: 7, key: 'k' })
  session.opened()
  session.receive({ is: 'subscribed', pipe: 'msg', position: [3, 0] })
  session.receive({ is: 'message', pipe: 'msg', event: '', data: 'hi', position: [3, 1] })
  session.closed()
  assert.ok(!('position' in session.opened()[0]!))
  session.receive({ is: 'subscribed', pipe: 'msg', position: [3, 0] })
  session.receive({ is: 'message', pipe: 'msg', event: '', data: 'hi', position: [3, 1] })
  assert.equal(session.listenToLog().length, 1)
})

test('of a thousand private messages and more that nobody wanted, the newest are there and the others are a gap', () => {
  const session = new Session({ uuid: 'me', user: 7, key: 'k' })
  session.opened()
  session.receive({ is: 'subscribed', pipe: 'msg', position: [3, 0] })
  for (let index = 1; index <= 1_010; index += 1) session.receive({ is: 'message', pipe: 'msg', event: '', data: index, position: [3, index] })
  const held = session.listenToLog()
  assert.deepEqual(held[0], { kind: 'gap', pipe: 'msg', from: undefined, to: [3, 11] })
  assert.equal(held.length, 1_000)
})

test('somebody else has another log', () => {
  const session = new Session({ uuid: 'me', user: 7, key: 'k' })
  session.listenToLog()
  session.opened()
  session.receive({ is: 'subscribed', pipe: 'msg', position: [3, 5] })
  session.closed()
  session.login({ uuid: 'me', user: 8, key: 'l' })
  assert.deepEqual(session.opened()[0], { do: 'hello', uuid: 'me', user: 8, key: 'l' })
})

test('positions mean nothing at another place', () => {
  const session = live()
  session.subscribe('aa', { position: [7, 5] })
  session.forget()
  assert.deepEqual(session.flush()[0], { do: 'subscribe', id: 1, pipes: [{ pipe: 'aa' }] })
})
