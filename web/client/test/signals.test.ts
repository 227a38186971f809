// Signals between tabs.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { TabSignal } from '../src/signals.js'
import { alone, Tab } from './world/browser.js'

function two() {
  const { clock, browser, tab } = alone({})
  return { clock, one: new TabSignal(tab.world), other: new TabSignal(new Tab(browser).world) }
}

test('emit stays here, emitAll goes everywhere, send_emit to the others', async () => {
  const { clock, one, other } = two()
  const told: unknown[] = []
  one.connect('greet', (parameter, signal, isFromOtherTab) => told.push(['one', parameter, signal, isFromOtherTab]))
  other.connect('mine', 'greet', (parameter, signal, isFromOtherTab) => told.push(['other', parameter, signal, isFromOtherTab]))
  one.emit('greet', 1)
  one.emitAll('greet', { two: 2 })
  one.send_emit('greet', 3)
  await clock.pass(10)
  assert.deepEqual(told, [
    ['one', 1, 'greet', false], ['one', { two: 2 }, 'greet', false],
    ['other', { two: 2 }, 'greet', true], ['other', 3, 'greet', true],
  ])
})

test('connect answers with the name of the slot, disconnect whether there was one', () => {
  const { one } = two()
  const told: unknown[] = []
  const name = one.connect('greet', parameter => told.push(parameter))
  assert.equal(one.connect('mine', 'greet', parameter => told.push(parameter)), 'mine')
  assert.equal(one.disconnect(name, 'greet'), true)
  assert.equal(one.disconnect(name, 'greet'), false)
  assert.equal(one.disconnect('x', 'never'), false)
  one.emit('greet', 1)
  assert.deepEqual(told, [1])
})

test('a state is shared, and has an age', async () => {
  const { clock, one, other } = two()
  assert.equal(one.getState('weather'), undefined)
  assert.equal(one.setState('weather', { sun: true }), true)
  assert.deepEqual(other.getState('weather', 1_000), { sun: true })
  await clock.pass(1_001)
  assert.equal(other.getState('weather', 1_000), undefined)
  assert.deepEqual(other.getState('weather'), { sun: true })
  assert.equal(other.setState('weather', 'rain', 5_000), false)
  assert.equal(other.setState('weather', 'rain', 1_000), true)
  assert.equal(one.getState('weather'), 'rain')
})

test('one of the tabs makes a state anew', async () => {
  const { clock, one, other } = two()
  let made = 0
  const stops = [one, other].map(signals => signals.intervalUpdateState('count', 1_000, set => set(made += 1)))
  await clock.pass(10_500)
  assert.ok(made >= 5 && made <= 12, `${made}`)
  for (const stop of stops) stop()
  const before = made
  await clock.pass(10_000)
  assert.equal(made, before)
})
