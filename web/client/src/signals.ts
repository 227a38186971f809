// Signals between the tabs of one browser, with or without a node: the original's `tabSignal`.

import { call } from './subscription.js'
import { surroundings, type Channel, type World } from './world.js'

/** `isFromOtherTab` is the third argument, as programs expect it. */
export type Slot = (parameter: unknown, signal: string, isFromOtherTab: boolean) => void

interface Record {
  readonly time: number
  readonly value: unknown
}

const STATE_KEY = 'tabSignal_'

export class TabSignal {
  readonly #world: World
  #signals = new Map<string, Map<string, Slot>>()
  #channel: Channel | undefined
  #count = 0

  constructor(world: World = surroundings(), name = 'tabSignal_storage_emit') {
    this.#world = world
    this.#channel = world.openChannel?.(name)
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#read(data as { name: string, param: unknown })
  }

  /** `connect(signal, slot)` or `connect(name, signal, slot)`; answers with the name of the slot. */
  connect(...given: [signal: string, slot: Slot] | [name: string, signal: string, slot: Slot]): string {
    const [name, signal, slot] = given.length === 3 ? given : [`sig${++this.#count}`, given[0], given[1]] as const
    const slots = this.#signals.get(signal) ?? new Map<string, Slot>()
    this.#signals.set(signal, slots.set(name, slot))
    return name
  }

  disconnect(name: string, signal: string): boolean {
    return this.#signals.get(signal)?.delete(name) ?? false
  }

  /** In this tab. */
  emit(signal: string, parameter?: unknown): void {
    this.#call(signal, parameter, false)
  }

  /** In every tab. */
  emitAll(signal: string, parameter?: unknown): void {
    this.send_emit(signal, parameter)
    this.#call(signal, parameter, false)
  }

  /** In every other tab. */
  send_emit(signal: string, parameter?: unknown): void {
    this.#channel?.postMessage({ name: signal, param: parameter })
  }

  /** A value that all tabs share. With `minTime` one that is younger, in milliseconds, stays. */
  setState(name: string, value: unknown, minTime = 0): boolean {
    const now = this.#world.now()
    if (now - this.#record(name).time < minTime) return false
    const record: Record = { time: now, value }
    return this.#world.storage.write(STATE_KEY + name, JSON.stringify(record))
  }

  /** Undefined if there is none, or only one that is older than `maxAge` milliseconds. */
  getState(name: string, maxAge = Infinity): unknown {
    const { time, value } = this.#record(name)
    return this.#world.now() - time > maxAge ? undefined : value
  }

  /** Has one of the tabs make the value anew whenever it is older than `maxAge` milliseconds; answers with how to stop it. */
  intervalUpdateState(name: string, maxAge: number, update: (set: (value: unknown) => void) => void): () => void {
    if (this.getState(name, maxAge) === undefined) call(update, value => { this.setState(name, value) })
    let cancel = () => {}
    const again = () => { cancel = this.intervalUpdateState(name, maxAge, update) }
    const stop = this.#world.after(maxAge, again)
    return () => {
      stop()
      cancel()
    }
  }

  #call(signal: string, parameter: unknown, isFromOtherTab: boolean): void {
    for (const slot of [...this.#signals.get(signal)?.values() ?? []]) call(slot, parameter, signal, isFromOtherTab)
  }

  #read({ name, param }: { name: string, param: unknown }): void {
    this.#call(name, param, true)
  }

  /** What was never set is as old as time. */
  #record(name: string): Record {
    try {
      return JSON.parse(this.#world.storage.read(STATE_KEY + name) ?? '') as Record
    } catch {
      return { time: 0, value: undefined }
    }
  }
}
