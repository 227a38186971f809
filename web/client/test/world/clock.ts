// Time that passes when a test says so.

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(resolve => setImmediate(resolve))
}

interface Timer {
  readonly at: number
  readonly number: number
  readonly then: () => void
}

export class Clock {
  now = 1_700_000_000_000
  #timers = new Set<Timer>()
  #count = 0

  after(milliseconds: number, then: () => void): () => void {
    const timer = { at: this.now + Math.max(0, milliseconds), number: ++this.#count, then }
    this.#timers.add(timer)
    return () => { this.#timers.delete(timer) }
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    for (;;) {
      await settle()
      const next = this.#next()
      if (!next || next.at > end) break
      this.now = Math.max(this.now, next.at)
      this.#timers.delete(next)
      next.then()
    }
    this.now = end
  }

  /** The computer sleeps: time goes on and nothing happens; what was due happens afterwards. */
  sleep(milliseconds: number): void {
    this.now += milliseconds
  }

  async until(holds: () => boolean, deadline = 60_000): Promise<void> {
    const end = this.now + deadline
    await settle()
    while (!holds()) {
      if (this.now >= end) throw new Error(`not within ${deadline} ms: ${holds}`)
      const next = this.#next()
      await this.pass(next ? Math.min(Math.max(next.at - this.now, 0), end - this.now) : end - this.now)
    }
  }

  #next(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (!first || timer.at < first.at || (timer.at === first.at && timer.number < first.number)) first = timer
    }
    return first
  }
}

/** Chance that can be repeated (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}
