// Who wants to be told what.

import { call } from './subscription.js'

export type Off = () => void

export class Listeners<Events> {
  #all = new Map<keyof Events, Set<(event: never) => void>>()

  add<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void, signal?: AbortSignal): Off {
    // The same function twice is two listeners.
    const own = (event: Events[Name]) => listener(event)
    const listeners = this.#all.get(name) ?? new Set()
    this.#all.set(name, listeners)
    const off = () => {
      listeners.delete(own)
      signal?.removeEventListener('abort', off)
    }
    if (signal?.aborted) return off
    signal?.addEventListener('abort', off)
    listeners.add(own)
    return off
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...this.#all.get(name) ?? []]) call(listener as (event: Events[Name]) => void, event)
  }
}
