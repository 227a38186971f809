// What a program holds of a pipe: callbacks, or a loop `for await`.

import { CometError } from './errors.js'
import { isReached, type Position } from './frames.js'

/** A message as programs get it. */
export interface Message<Data = unknown> {
  readonly pipe: string
  readonly event: string
  /** The value, if what was published is JSON, and otherwise the text. */
  readonly data: Data
  readonly position: Position
  readonly uuid: string | undefined
  readonly time: Date | undefined
  /** The user who published it, from a browser and not anonymously. */
  readonly user: number | undefined
  /** From what the pipe keeps, not as it was published. */
  readonly history: boolean
  /** Published by this page. */
  readonly own: boolean
}

/** What was published between the two positions, the second included, did not reach this page. */
export interface Gap {
  readonly pipe: string
  readonly from: Position | undefined
  readonly to: Position
}

export interface Ready {
  readonly position: Position | undefined
  /** Whether everything since the position that was asked for is there; undefined if none was. */
  readonly recovered: boolean | undefined
}

export interface SubscribeOptions<Data = unknown> {
  /** Only messages with this event. */
  readonly event?: string
  /** At first, so many of the newest messages that the pipe keeps. */
  readonly last?: number
  /** Goes on where an earlier page has stopped: the position of the last message it had. */
  readonly position?: Position
  readonly signal?: AbortSignal
  /** Without it messages wait for the loop `for await`. */
  readonly onMessage?: (message: Message<Data>) => void
  readonly onGap?: (gap: Gap) => void
  /** How many messages may wait for the loop before it ends with an error: 10,000. */
  readonly waitingMax?: number
}

/** Calls what belongs to the program: what it throws is reported and disturbs nobody else. */
export function call<Arguments extends readonly unknown[]>(callback: ((...given: Arguments) => void) | undefined, ...given: Arguments): void {
  try {
    callback?.(...given)
  } catch (error) {
    if (typeof reportError === 'function') reportError(error)
    else console.error(error)
  }
}

/** What a client needs of a subscription, whatever its messages are. Programs do not see it, nor their types. */
export interface Reader {
  readonly pipe: string
  deliver(message: Message): void
  gap(gap: Gap): void
  answered(ready: Ready): void
  refused(error: CometError): void
  hold(): void
  release(past: readonly Message[]): void
}

interface Waiter<Data> {
  resolve(result: IteratorResult<Message<Data>, undefined>): void
  reject(error: CometError): void
}

export class Subscription<Data = unknown> implements AsyncIterable<Message<Data>> {
  /** Settles with the node's answer to the subscription. */
  readonly ready: Promise<Ready>
  #settle!: { resolve(ready: Ready): void, reject(error: CometError): void }
  #isClosed = false
  #error: CometError | undefined
  #waiting: Message<Data>[] = []
  #waiters: Waiter<Data>[] = []
  /** What arrives while the past is still on its way. */
  #held: Message[] | undefined

  constructor(
    readonly pipe: string,
    private readonly options: SubscribeOptions<Data>,
    private readonly closed: () => void,
  ) {
    this.ready = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    // Who does not ask need not catch.
    this.ready.catch(() => {})
    options.signal?.addEventListener('abort', this.close)
  }

  readonly close = (): void => this.#end()

  async *[Symbol.asyncIterator](): AsyncGenerator<Message<Data>, undefined> {
    try {
      for (;;) {
        const result = await this.#next()
        if (result.done) return
        yield result.value
      }
    } finally {
      this.close()
    }
  }

  /** @internal */
  deliver(message: Message): void {
    if (this.#isClosed) return
    const { event, onMessage, waitingMax = 10_000 } = this.options
    if (this.#held) {
      if (this.#held.push(message) > waitingMax) this.#tooSlow(waitingMax)
      return
    }
    if (event !== undefined && event !== message.event) return
    const typed = message as Message<Data>
    if (onMessage) return call(onMessage, typed)
    const waiter = this.#waiters.shift()
    if (waiter) return waiter.resolve({ done: false, value: typed })
    if (this.#waiting.push(typed) > waitingMax) this.#tooSlow(waitingMax)
  }

  /** @internal Until `release` messages are held back, because older ones come first. */
  hold(): void {
    this.#held = []
  }

  /** @internal */
  release(past: readonly Message[]): void {
    const held = this.#held ?? []
    this.#held = undefined
    const newest = past.at(-1)?.position
    for (const message of past) this.deliver(message)
    for (const message of held) if (!newest || !isReached(message.position, newest)) this.deliver(message)
  }

  /** @internal */
  gap(gap: Gap): void {
    call(this.options.onGap, gap)
  }

  /** @internal */
  answered(ready: Ready): void {
    this.#settle.resolve(ready)
  }

  /** @internal A loop ends with the error; callbacks stay for the day the pipe is open to us. */
  refused(error: CometError): void {
    this.#settle.reject(error)
    if (!this.options.onMessage) this.#end(error)
  }

  #next(): Promise<IteratorResult<Message<Data>, undefined>> {
    const value = this.#waiting.shift()
    if (value) return Promise.resolve({ done: false, value })
    if (this.#error) return Promise.reject(this.#error)
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  #tooSlow(waitingMax: number): void {
    this.#end(new CometError('too_slow', `more than ${waitingMax} messages of ${this.pipe} wait`))
  }

  #end(error?: CometError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#error = error
    this.options.signal?.removeEventListener('abort', this.close)
    this.#settle.reject(error ?? new CometError('aborted', 'the subscription was closed'))
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (error) reject(error)
      else resolve({ done: true, value: undefined })
    }
    this.closed()
  }
}
