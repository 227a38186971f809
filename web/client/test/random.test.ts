// Random lives with a seed: connections break, tabs die, freeze, come back, nodes crash. Whatever happens, each tab gets
// every message once and in order, or is told what it did not get.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Comet } from '../src/comet.js'
import type { Position } from '../src/frames.js'
import { Browser, Network, Tab } from './world/browser.js'
import { chance, Clock } from './world/clock.js'
import { FakeNode } from './world/node.js'

const PIPES = ['web_a', 'web_b']
const STEPS = 250
const SEEDS = 25
const TABS_MAX = 6

interface Reader {
  readonly tab: Tab
  readonly comet: Comet
  /** How far each pipe has been told of, gap or message. */
  readonly reached: Map<string, Position>
  gaps: number
  isFrozen: boolean
  isHidden: boolean
}

class Life {
  readonly clock = new Clock()
  readonly random: () => number
  readonly network: Network
  readonly node: FakeNode
  readonly browsers: Browser[]
  readers: Reader[] = []
  readonly published: { tab: Tab, publishing: Promise<unknown> }[] = []
  readonly wrong: string[] = []
  #sent = 0

  constructor(readonly seed: number, private readonly isKind: boolean) {
    this.random = chance(seed)
    this.network = new Network(this.clock, () => 1 + Math.floor(this.random() * 40))
    this.node = this.network.node('node.example', new FakeNode({ window: isKind ? 10_000 : 15 }))
    this.browsers = [new Browser(this.network, seed), new Browser(this.network, seed + 500)]
  }

  pick<Thing>(things: readonly Thing[]): Thing | undefined {
    return things[Math.floor(this.random() * things.length)]
  }

  open(): void {
    const tab = new Tab(this.pick(this.browsers)!, { sharing: this.random() < 0.8 })
    const comet = new Comet({ node: 'node.example', timeout: 300_000 }, tab.world)
    const reader: Reader = { tab, comet, reached: new Map(), gaps: 0, isFrozen: false, isHidden: false }
    for (const pipe of PIPES) this.#subscribe(reader, pipe)
    comet.start()
    this.readers.push(reader)
  }

  #subscribe({ comet, reached }: Reader, pipe: string): void {
    const who = () => `seed ${this.seed}, ${pipe} of tab ${comet.tab}`
    const counted = this.readers
    // `ready` settles later than the first message can come: the first that is told, told from where, is the start.
    comet.subscribe(pipe, {
      onMessage: ({ position }) => {
        const before = reached.get(pipe)
        if (before && (position[0] !== before[0] || position[1] !== before[1] + 1)) this.wrong.push(`${who()}: after ${before} came ${position}`)
        reached.set(pipe, position)
      },
      onGap: ({ from, to }) => {
        const before = reached.get(pipe)
        if (before && String(from) !== String(before)) this.wrong.push(`${who()}: at ${before} a gap from ${from}`)
        reached.set(pipe, to)
        const reader = counted.find(one => one.comet === comet)
        if (reader) reader.gaps += 1
      },
    }).ready.then(({ position }) => { if (position && !reached.has(pipe)) reached.set(pipe, position) }, () => {})
  }

  step(): void {
    const chosen = this.random()
    const alive = this.readers.filter(({ tab }) => !tab.isDead)
    const reader = this.pick(alive)
    const pipe = this.pick(PIPES)!
    if (chosen < 0.45) this.node.insert(pipe, this.#sent += 1)
    else if (chosen < 0.65) this.#publish(reader, pipe)
    else if (chosen < 0.71) this.node.cut(this.random() < 0.5 ? 1006 : 4000)
    else if (chosen < 0.76) this.pick([...(reader?.tab.sockets ?? [])])?.fail(1006, '')
    else if (chosen < 0.81 && reader && alive.length > 1) reader.tab.die()
    else if (chosen < 0.87 && alive.length < TABS_MAX) this.open()
    else if (chosen < 0.90 && reader) this.#freeze(reader)
    else if (chosen < 0.93 && reader) this.#hide(reader)
    else if (chosen < 0.95) this.node.isDown = !this.node.isDown
    else if (chosen < 0.96) this.network.isCut = !this.network.isCut
    else if (!this.isKind) this.#provoke(pipe)
  }

  #publish(reader: Reader | undefined, pipe: string): void {
    if (!reader || reader.tab.isDead) return
    const publishing = reader.comet.publish(pipe, this.#sent += 1)
    publishing.catch(() => {})
    this.published.push({ tab: reader.tab, publishing })
  }

  #freeze(reader: Reader): void {
    reader.isFrozen = !reader.isFrozen
    if (reader.isFrozen) reader.tab.freeze()
    else reader.tab.thaw()
  }

  #hide(reader: Reader): void {
    if (reader.isFrozen) return
    reader.isHidden = !reader.isHidden
    reader.tab.happens(reader.isHidden ? 'hide' : 'show')
  }

  #provoke(pipe: string): void {
    const victim = this.pick([...this.node.visitors])
    if (this.random() < 0.3) this.node.crash()
    else if (victim?.pipes.has(pipe)) this.node.lose(pipe, victim, this.#sent += 1)
  }

  async end(): Promise<void> {
    this.node.isDown = this.network.isCut = false
    for (const reader of this.readers.filter(({ tab }) => !tab.isDead)) {
      if (reader.isFrozen) this.#freeze(reader)
      if (reader.isHidden) this.#hide(reader)
    }
    await this.clock.pass(200_000)
    for (const pipe of PIPES) this.node.insert(pipe, 'the end')
    await this.clock.pass(2_000)
  }
}

async function live(seed: number, isKind: boolean): Promise<Life> {
  const life = new Life(seed, isKind)
  for (let at = 0; at < 3; at += 1) life.open()
  await life.clock.pass(1_000)
  for (let step = 0; step < STEPS; step += 1) {
    life.step()
    await life.clock.pass(Math.floor(life.random() * (life.random() < 0.05 ? 8_000 : 120)))
  }
  await life.end()
  assert.deepEqual(life.wrong, [])
  for (const { tab, comet, reached } of life.readers) {
    if (tab.isDead) continue
    for (const pipe of PIPES) {
      const { epoch, head } = life.node.pipe(pipe)
      assert.deepEqual(reached.get(pipe), [epoch, head], `seed ${seed}: ${pipe} of tab ${comet.tab}, ${comet.state.name}, has everything or knows what not`)
    }
  }
  return life
}

test('without provocation nothing is lost, and nothing is said to be', async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { readers } = await live(seed, true)
    assert.deepEqual(readers.map(({ gaps }) => gaps), readers.map(() => 0), `seed ${seed}: gaps`)
  }
})

test('with crashes, losses and a short memory everything is there, or a gap', async () => {
  let gaps = 0
  for (let seed = 1_001; seed <= 1_000 + SEEDS; seed += 1) {
    const life = await live(seed, false)
    gaps += life.readers.reduce((sum, reader) => sum + reader.gaps, 0)
  }
  assert.ok(gaps > SEEDS, `the test is to provoke gaps, it had ${gaps}`)
})

test('of what is published each is one message, whatever breaks', async () => {
  for (let seed = 2_001; seed <= 2_000 + SEEDS / 4; seed += 1) {
    const life = await live(seed, true)
    const settled = await Promise.allSettled(life.published.filter(({ tab }) => !tab.isDead).map(({ publishing }) => publishing))
    const uuids = PIPES.flatMap(pipe => life.node.pipe(pipe).messages).flatMap(({ uuid }) => uuid ?? [])
    assert.equal(new Set(uuids).size, uuids.length, `seed ${seed}`)
    for (const one of settled) if (one.status === 'fulfilled') assert.ok(uuids.includes((one.value as { uuid: string }).uuid), `seed ${seed}`)
  }
})
