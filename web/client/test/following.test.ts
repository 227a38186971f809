// The reducer of the frames about one pipe: what goes in, what comes out.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { follow, parted, wish, type Following, type PipeFrame } from '../src/following.js'

const message = (index: number, epoch = 7) => ({ is: 'message', pipe: 'p', event: '', data: index, position: [epoch, index] }) as const
const subscribed = (index: number, recovered?: boolean, epoch = 7): PipeFrame =>
  ({ is: 'subscribed', id: 1, pipe: 'p', position: [epoch, index], ...recovered !== undefined && { recovered } })

function told(start: Following, frames: readonly PipeFrame[]): { told: string[], end: Following } {
  const told: string[] = []
  let state = start
  for (const frame of frames) {
    const [next, news] = follow(state, frame)
    state = next
    for (const one of news) {
      if (one.kind === 'message') told.push(`${one.history ? 'history ' : ''}${one.message.position[1]}`)
      else if (one.kind === 'gap') told.push(`gap ${one.from?.join('.') ?? '?'} to ${one.to.join('.')}`)
      else told.push(`subscribed ${one.position?.join('.')} ${one.recovered}`)
    }
  }
  return { told, end: state }
}

const asked: Following = { asked: 1, live: false }
const back: Following = { asked: 1, live: false, position: [7, 5] }
const history = (from: number, to: number, more = false): PipeFrame => ({
  is: 'history', id: 1, pipe: 'p', more, messages: Array.from({ length: to - from + 1 }, (_, step) => ({ event: '', data: 0, position: [7, from + step] as const })),
})

const cases: readonly [name: string, start: Following, frames: PipeFrame[], expected: string[]][] = [
  ['what is live', asked, [subscribed(5), message(6), message(7)], ['subscribed 7.5 undefined', '6', '7']],
  ['nothing counts before the answer', asked, [message(5), subscribed(5), message(6)], ['subscribed 7.5 undefined', '6']],
  ['what was missed, then what is live', back, [subscribed(5, true), message(6), message(7)], ['subscribed 7.5 true', '6', '7']],
  ['what cannot be recovered is a gap', back, [subscribed(9, false), message(10)], ['gap 7.5 to 7.9', 'subscribed 7.9 false', '10']],
  ['another epoch is a gap', back, [subscribed(0, false, 8), message(1, 8)], ['gap 7.5 to 8.0', 'subscribed 8.0 false', '1']],
  ['a gap in the middle', asked, [subscribed(5), message(6), { is: 'gap', pipe: 'p', position: [7, 9] }, message(10)],
    ['subscribed 7.5 undefined', '6', 'gap 7.6 to 7.9', '10']],
  ['what was there is not handed over again', asked, [subscribed(5), message(6), message(6), message(4), message(7)], ['subscribed 7.5 undefined', '6', '7']],
  ['a hole is what was deleted', back, [subscribed(5, true), message(8)], ['subscribed 7.5 true', '8']],
  ['an epoch that changes without a word is a gap', asked, [subscribed(5), message(3, 9)], ['subscribed 7.5 undefined', 'gap 7.5 to 9.2', '3']],
  ['the past comes first', { asked: 1, live: false, last: 3 }, [history(3, 4, true), history(5, 5), subscribed(5), message(6)],
    ['history 3', 'history 4', 'history 5', 'subscribed 7.5 undefined', '6']],
  ['the past does not come twice', back, [history(3, 6), subscribed(6, false)], ['history 6', 'gap 7.6 to 7.6', 'subscribed 7.6 false']],
  ['the answer to an earlier subscription is not ours', { asked: 2, live: false }, [subscribed(5), message(6), history(1, 2)], []],
  ['nor is its gap', { asked: 2, live: false }, [{ is: 'gap', pipe: 'p', position: [7, 9] }], []],
  ['subscribed already', { asked: 1, live: true, position: [7, 5] }, [{ is: 'subscribed', id: 1, pipe: 'p' }, message(6)], ['subscribed 7.5 undefined', '6']],
]

for (const [name, start, frames, expected] of cases) {
  test(name, () => {
    const before = JSON.stringify([start, frames])
    assert.deepEqual(told(start, frames).told, expected)
    assert.equal(JSON.stringify([start, frames]), before, 'nothing that was given is changed')
  })
}

test('who was cut off in the middle of the past goes on from there', () => {
  const { end } = told({ asked: 1, live: false, last: 3 }, [history(3, 4, true)])
  assert.deepEqual(wish('p', parted(end)), { pipe: 'p', position: [7, 4] })
})

test('a wish names a position, or the past, or nothing', () => {
  assert.deepEqual(wish('p', { live: false, position: [7, 5], last: 3 }), { pipe: 'p', position: [7, 5] })
  assert.deepEqual(wish('p', { live: false, last: 3 }), { pipe: 'p', last: 3 })
  assert.deepEqual(wish('p', { live: false }), { pipe: 'p' })
})
