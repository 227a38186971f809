// One pipe of a switchboard: who of the tabs reads it, and the last messages, for tabs that come later or come back.

import { earliest, EVERYONE, isReached, isSame, LOG, type Arrival, type HistoryPage, type NodeFrame, type PipeWish, type Position, type Refusal, type Subscribed } from './frames.js'

/** As much as a node itself remembers of a pipe that nobody keeps. */
const OF_A_PIPE = { messages: 100, length: 65_536 }
/** The log waits for whoever has not taken it. */
const OF_THE_LOG = { messages: 1_000, length: 1_048_576 }

export interface Entry {
  readonly tab: string
  /** None for the user's log. */
  readonly id?: number
  readonly position?: Position
  readonly last?: number
  /** Wants everything that is remembered, the log's way. */
  readonly untaken?: boolean
}

export class Channel {
  /** The `subscribe` that asked the node for it, and from where. */
  asked: number | undefined
  #askedFrom: Position | undefined
  /** How far it has come; none as long as the node has not answered. */
  #position: Position | undefined
  /** How far the tabs have come that were served before it was asked for again. */
  #audience: Position | undefined
  #remembered: { readonly frame: Arrival, readonly length: number }[] = []
  #rememberedLength = 0
  /** Behind this everything is remembered. */
  #floor: Position = [0, 0]
  #waiting: Entry[] = []

  constructor(
    readonly pipe: string,
    private readonly post: (tab: string, frame: NodeFrame) => void,
    /** Has the node asked again, from where `wish` says: it may know what we do not remember. */
    private readonly askAgain: (channel: Channel) => void,
  ) {}

  get isLive(): boolean {
    return this.#position !== undefined
  }

  get hasAudience(): boolean {
    return this.#audience !== undefined
  }

  /** What to ask the node for, on behalf of all. */
  wish(): PipeWish {
    const positions = [...this.#waiting.map(entry => entry.position), this.#audience].filter(position => position !== undefined)
    this.#askedFrom = earliest(positions)
    if (this.#askedFrom) return { pipe: this.pipe, position: this.#askedFrom }
    const last = Math.max(0, ...this.#waiting.map(entry => entry.last ?? 0))
    return last ? { pipe: this.pipe, last } : { pipe: this.pipe }
  }

  enter(entry: Entry): void {
    const { position } = entry
    if (!this.#position) return void this.#waiting.push(entry)
    const isForgotten = position && position[0] === this.#floor[0] && position[1] < this.#floor[1]
    if (!isForgotten) return this.#serve(entry, this.#position)
    this.#waiting.push(entry)
    this.#again(this.#position)
  }

  leave(tab: string): void {
    this.#waiting = this.#waiting.filter(entry => entry.tab !== tab)
  }

  /** A page of the past, for a tab that came when the pipe was live: what lies ahead of us it will get with the others. */
  past({ tab, id }: Entry, frame: HistoryPage): void {
    const { messages, pipe } = frame
    const old = messages.filter(({ position }) => this.#position && isReached(position, this.#position))
    if (id !== undefined) this.post(tab, { is: 'history', id, pipe, messages: old, more: true })
    const newest = old.at(-1)
    if (frame.more || !newest || id === undefined) return
    // What came while we asked for the past.
    const since = this.#remembered.filter(({ frame: { position } }) => !isReached(position, newest.position)).map(one => one.frame)
    this.post(tab, { is: 'history', id, pipe, messages: since, more: false })
  }

  /** A page of the past that came with the node's own subscription. */
  pastOfFirst(frame: HistoryPage): void {
    for (const { tab, id, last } of this.#waiting) {
      if (last && id !== undefined) this.post(tab, { ...frame, id })
    }
  }

  subscribed({ id, position: present, recovered }: Subscribed): void {
    if (id !== this.asked || !present) return
    this.#startAt(present)
    const isLost = recovered === false
    // Who came from elsewhere, or after we had asked, may be luckier.
    const isElsewhere = (position: Position) => id !== undefined && !isSame(position, this.#askedFrom) &&
      (isLost ? !isSame(position, present) : position[0] === present[0] && position[1] < present[1])
    const waiting = this.#waiting.filter(({ position }) => position && isElsewhere(position))
    const served = this.#waiting.filter(entry => !waiting.includes(entry))
    this.#waiting = waiting
    for (const entry of served) this.#serve(entry, present, recovered)
    const audience = this.#audience
    this.#audience = undefined
    if (audience && isLost && !isElsewhere(audience) && !isSame(audience, present)) {
      this.post(EVERYONE, { is: 'gap', pipe: this.pipe, position: present })
    }
    const isAgain = waiting.length > 0 || (audience && isElsewhere(audience))
    if (isAgain) this.#again(audience && isElsewhere(audience) ? audience : present)
  }

  refused(frame: Refusal): string[] {
    const tabs = this.#waiting.splice(0)
    for (const { tab, id } of tabs) if (id !== undefined) this.post(tab, { ...frame, id, pipe: this.pipe })
    return tabs.map(({ tab }) => tab)
  }

  /** Whether it belongs to the subscription. */
  gap(position: Position): boolean {
    if (!this.#position) return false
    this.#startAt(position)
    return true
  }

  /** Whether it belongs to the subscription: what is left over from one before comes again with the next. */
  message(frame: Arrival, length: number): boolean {
    if (!this.#position) return false
    this.#position = frame.position
    this.#remembered.push({ frame, length })
    this.#rememberedLength += length
    const max = this.pipe === LOG ? OF_THE_LOG : OF_A_PIPE
    while (this.#remembered.length > max.messages || this.#rememberedLength > max.length) {
      const forgotten = this.#remembered.shift()
      if (!forgotten) break
      this.#floor = forgotten.frame.position
      this.#rememberedLength -= forgotten.length
    }
    return true
  }

  #again(audience: Position): void {
    this.#audience = audience
    this.#position = undefined
    this.askAgain(this)
  }

  #startAt(position: Position): void {
    this.#position = this.#floor = position
    this.#remembered = []
    this.#rememberedLength = 0
  }

  #serve({ tab, id, position, untaken }: Entry, present: Position, recovered = true): void {
    const asWhom = id === undefined ? {} : { id }
    const from = position ?? (untaken ? this.#floor : undefined)
    const isThere = from && recovered && from[0] === present[0] && isReached(this.#floor, from)
    const start = isThere ? from : present
    this.post(tab, { is: 'subscribed', ...asWhom, pipe: this.pipe, position: start, ...position && { recovered: !!isThere } })
    if (!isThere) return
    for (const { frame } of this.#remembered) if (!isReached(frame.position, start)) this.post(tab, frame)
  }
}
