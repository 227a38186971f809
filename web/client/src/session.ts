// What one page wants of the node, whatever becomes of the connection: which pipes and from where, which commands
// are unanswered, how far the user's log has been read. Frames go in and out; it has no socket, no timer, no callback.

import { CometError } from './errors.js'
import { follow, parted, wish, type Following, type PipeFrame, type PipeNews } from './following.js'
import {
  LOG, type Answer, type ClientFrame, type Command, type HistoryPage, type NodeFrame, type NodeMessage, type Position,
  type Refusal, type Welcome,
} from './frames.js'

/** Who is there. */
export interface Credentials {
  readonly uuid: string
  readonly user?: number
  readonly key?: string
}

export type Effect =
  | PipeNews
  | { readonly kind: 'welcome', readonly user: number | null }
  | { readonly kind: 'refused', readonly pipe: string, readonly error: CometError }
  | { readonly kind: 'answered', readonly id: number, readonly answer: Answer, readonly messages: readonly NodeMessage[] }
  | { readonly kind: 'failed', readonly id: number, readonly error: CometError }
  /** The node cannot at the moment: call `rested` and flush a while later. */
  | { readonly kind: 'tired' }

interface Waiting {
  readonly frame: Command & { readonly id: number }
  readonly bytes: number
  sent: boolean
  messages: NodeMessage[]
}

const COMMANDS_MAX = 1_000
const COMMANDS_BYTES_MAX = 4 * 1_048_576
const HELD_MESSAGES_MAX = 1_000
const OWN_MESSAGES_MAX = 4_096

export class Session {
  #credentials: Credentials
  #phase: 'away' | 'greeting' | 'welcome' = 'away'
  #pipes = new Map<string, Following>()
  /** Pipes that are to be unsubscribed in this connection. */
  #dropped = new Set<string>()
  /** In the order in which they were given. */
  #commands = new Map<number, Waiting>()
  #commandsBytes = 0
  #resting = new Set<string | number>()
  #own = new Set<string>()
  #id = 0
  #messageBytesMax = Infinity
  #subscriptionsMax = Infinity

  #log: Following = { live: false }
  #isLogWanted = false
  #held: PipeNews[] = []
  #handed: Position | undefined
  #taken: Position | undefined

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /** Somebody else from the next connection on: their log is another one. */
  login(credentials: Credentials): void {
    if (credentials.user !== this.#credentials.user) this.#forgetLog()
    this.#credentials = credentials
  }

  /** Another node or tenant: positions mean nothing there. */
  forget(): void {
    for (const [pipe, { last }] of this.#pipes) this.#pipes.set(pipe, { live: false, ...last && { last } })
    this.#forgetLog()
  }

  /** Throws when there are too many. What is followed already stays as it is. */
  subscribe(pipe: string, from: { position?: Position, last?: number } = {}): void {
    if (pipe === LOG || this.#pipes.has(pipe)) return
    if (this.#pipes.size >= this.#subscriptionsMax) {
      throw new CometError('too_many', `more than ${this.#subscriptionsMax} pipes at a time`)
    }
    this.#pipes.set(pipe, { live: false, ...from })
  }

  unsubscribe(pipe: string): void {
    if (this.#pipes.get(pipe)?.asked !== undefined) this.#dropped.add(pipe)
    this.#pipes.delete(pipe)
    this.#resting.delete(pipe)
  }

  position(pipe: string): Position | undefined {
    return pipe === LOG ? this.#log.position : this.#pipes.get(pipe)?.position
  }

  isFollowed(pipe: string): boolean {
    return this.#pipes.has(pipe)
  }

  /** From now on private messages are handed over; those that came before are the answer. */
  listenToLog(): readonly PipeNews[] {
    this.#isLogWanted = true
    const held = this.#held
    this.#held = []
    for (const news of held) this.#noteHanded(news)
    return held
  }

  deafenLog(): void {
    this.#isLogWanted = false
  }

  /** Takes a command, to be sent now or when there is a connection; throws when it never can be. */
  command(command: Command): number {
    const bytes = command.do === 'publish' ? this.#measured(command.data) : 0
    if (this.#commands.size >= COMMANDS_MAX || this.#commandsBytes + bytes > COMMANDS_BYTES_MAX) {
      throw new CometError('too_many', `more than ${COMMANDS_MAX} commands or ${COMMANDS_BYTES_MAX} bytes would wait for an answer`)
    }
    const id = ++this.#id
    this.#commands.set(id, { frame: { ...command, id }, bytes, sent: false, messages: [] })
    this.#commandsBytes += bytes
    if (command.do === 'publish') this.#noteOwn(command.uuid)
    return id
  }

  /** Nobody waits for the answer any more. */
  abandon(id: number): void {
    this.#commandsBytes -= this.#commands.get(id)?.bytes ?? 0
    this.#commands.delete(id)
    this.#resting.delete(id)
  }

  isOwn(uuid: string | undefined): boolean {
    return uuid !== undefined && this.#own.has(uuid)
  }

  /** A connection is there: what goes out first. */
  opened(): ClientFrame[] {
    const position = this.#isLogWanted ? this.#log.position : undefined
    if (!position) this.#log = { live: false }
    this.#phase = 'greeting'
    const { uuid, user, key } = this.#credentials
    const who = user !== undefined && key !== undefined ? { user, key, ...position && { position } } : {}
    return [{ do: 'hello', uuid, ...who }, ...this.flush()]
  }

  /** The connection is gone. What was unanswered is repeated in the next. */
  closed(): void {
    this.#phase = 'away'
    for (const [pipe, following] of this.#pipes) this.#pipes.set(pipe, parted(following))
    this.#log = parted(this.#log)
    if (!this.#isLogWanted) this.#held = []
    this.#dropped.clear()
    this.#resting.clear()
    this.#taken = undefined
    for (const waiting of this.#commands.values()) [waiting.sent, waiting.messages] = [false, []]
  }

  rested(): void {
    this.#resting.clear()
  }

  /** What is to be sent now, all pipes in one frame. */
  flush(): ClientFrame[] {
    if (this.#phase === 'away') return []
    const frames: ClientFrame[] = []
    if (this.#dropped.size) frames.push({ do: 'unsubscribe', id: ++this.#id, pipes: [...this.#dropped] })
    this.#dropped.clear()
    const wanted = [...this.#pipes].filter(([pipe, { asked }]) => asked === undefined && !this.#resting.has(pipe))
    if (wanted.length) {
      const id = ++this.#id
      frames.push({ do: 'subscribe', id, pipes: wanted.map(([pipe, following]) => wish(pipe, following)) })
      for (const [pipe, following] of wanted) this.#pipes.set(pipe, { ...following, asked: id })
    }
    if (this.#phase === 'welcome') this.#flushCommands(frames)
    return frames
  }

  receive(frame: NodeFrame): Effect[] {
    switch (frame.is) {
      case 'welcome': return this.#welcome(frame)
      case 'history': return this.#commands.has(frame.id) ? this.#page(frame) : this.#follow(frame)
      case 'subscribed': case 'message': case 'gap': return this.#follow(frame)
      case 'answer': return this.#answer(frame)
      case 'error': return this.#error(frame)
      default: return []
    }
  }

  #flushCommands(frames: ClientFrame[]): void {
    for (const waiting of this.#commands.values()) {
      if (waiting.sent || this.#resting.has(waiting.frame.id)) continue
      waiting.sent = true
      frames.push(waiting.frame)
    }
    if (this.#handed && this.#handed !== this.#taken) {
      this.#taken = this.#handed
      frames.push({ do: 'taken', position: this.#handed })
    }
  }

  #welcome(frame: Welcome): Effect[] {
    this.#phase = 'welcome'
    this.#messageBytesMax = frame.message_bytes_max ?? Infinity
    this.#subscriptionsMax = frame.subscriptions_max ?? Infinity
    const effects: Effect[] = [{ kind: 'welcome', user: frame.user }]
    for (const [id, { bytes }] of this.#commands) {
      if (bytes > this.#messageBytesMax) effects.push(this.#failed(id, this.#tooLong(bytes)))
    }
    return effects
  }

  #follow(frame: PipeFrame): Effect[] {
    if (frame.pipe === LOG) return this.#followLog(frame)
    const before = this.#pipes.get(frame.pipe)
    if (!before) return []
    const [after, news] = follow(before, frame)
    this.#pipes.set(frame.pipe, after)
    return [...news]
  }

  #followLog(frame: PipeFrame): Effect[] {
    const [after, news] = follow(this.#log, frame)
    this.#log = after
    if (this.#isLogWanted) {
      for (const one of news) this.#noteHanded(one)
      return [...news]
    }
    for (const one of news) if (one.kind !== 'subscribed') this.#held.push(one)
    if (this.#held.length > HELD_MESSAGES_MAX) {
      const [, lost] = this.#held.splice(0, 2)
      const to = lost?.kind === 'message' ? lost.message.position : after.position
      if (to) this.#held.unshift({ kind: 'gap', pipe: LOG, from: undefined, to })
    }
    return []
  }

  #noteHanded(news: PipeNews): void {
    if (news.kind === 'message') this.#handed = news.message.position
  }

  #page({ id, messages, more }: HistoryPage): Effect[] {
    const waiting = this.#commands.get(id)
    if (!waiting) return []
    waiting.messages.push(...messages)
    return more ? [] : this.#answer({ is: 'answer', id })
  }

  #answer(answer: Answer): Effect[] {
    const { id } = answer
    const waiting = this.#commands.get(id)
    if (!waiting) return []
    this.abandon(id)
    return [{ kind: 'answered', id, answer, messages: waiting.messages }]
  }

  #error({ id, code, text, pipe }: Refusal): Effect[] {
    if (id === undefined) return []
    const isLater = code === 503
    const isMeant = ([name, { asked, live }]: [string, Following]) => asked === id && !live && (pipe ?? name) === name
    const pipes = [...this.#pipes].filter(isMeant).map(([name]) => name)
    if (pipes.length) {
      return isLater ? this.#rest(pipes) : pipes.map(name => ({ kind: 'refused', pipe: name, error: CometError.ofNode(code, text) }))
    }
    const waiting = this.#commands.get(id)
    if (!waiting) return []
    if (!isLater) return [this.#failed(id, CometError.ofNode(code, text))]
    ;[waiting.sent, waiting.messages] = [false, []]
    this.#resting.add(id)
    return [{ kind: 'tired' }]
  }

  #rest(pipes: readonly string[]): Effect[] {
    for (const pipe of pipes) {
      this.#pipes.set(pipe, parted(this.#pipes.get(pipe) ?? { live: false }))
      this.#resting.add(pipe)
    }
    return [{ kind: 'tired' }]
  }

  #failed(id: number, error: CometError): Effect {
    this.abandon(id)
    return { kind: 'failed', id, error }
  }

  #measured(data: unknown): number {
    const text = JSON.stringify(data) as string | undefined
    if (text === undefined) throw new CometError('invalid', 'what is published must be a JSON value')
    const bytes = new TextEncoder().encode(text).length
    if (bytes > this.#messageBytesMax) throw this.#tooLong(bytes)
    return bytes
  }

  #tooLong(bytes: number): CometError {
    return new CometError('too_long', `a message may have ${this.#messageBytesMax} bytes, this one has ${bytes}`)
  }

  #noteOwn(uuid: string): void {
    this.#own.add(uuid)
    const [oldest] = this.#own
    if (this.#own.size > OWN_MESSAGES_MAX && oldest !== undefined) this.#own.delete(oldest)
  }

  #forgetLog(): void {
    this.#log = { live: false }
    this.#held = []
    this.#handed = this.#taken = undefined
  }
}
