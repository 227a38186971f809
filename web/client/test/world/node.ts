// A node, as docs/PROTOCOL.md has it, over sockets in memory: positions, what is kept, what can be recovered.

import type { ClientFrame, NodeFrame, NodeMessage, PipeWish, Position } from '../../src/frames.js'

export interface Wire {
  send(text: string): void
  close(code: number, reason: string): void
}

interface Pipe {
  epoch: number
  head: number
  /** What can be recovered, oldest first. */
  messages: NodeMessage[]
  /** Everything behind it is in `messages`. */
  floor: number
  kept: number
}

interface User {
  readonly key: string
  readonly log: Pipe
  taken: number
}

export interface NodeOptions {
  readonly window?: number
  readonly messageBytesMax?: number
  readonly subscriptionsMax?: number
}

let epochs = 100

/** No two nodes have the same. */
function nextEpoch(): number {
  epochs += 1
  return epochs
}

type Command = Extract<ClientFrame, { id: number }>

export class FakeNode {
  readonly visitors = new Set<Visitor>()
  readonly users = new Map<number, User>()
  readonly userData = new Map<number, string>()
  readonly seen = new Map<number, number>()
  /** Every frame that came, with who sent it. */
  readonly heard: ClientFrame[] = []
  /** As it would not be there. */
  isDown = false
  /** Hears and says nothing. */
  isMute = false
  /** What a new connection is closed with instead of a welcome. */
  refuses: { code: number, reason: string } | undefined
  /** How many of the next commands are refused for now. */
  busyFor = 0
  /** Answers to these are lost with the connection. */
  losesAnswersTo: string | undefined
  #pipes = new Map<string, Pipe>()
  #published = new Map<string, { position: Position, receivers: number }>()

  constructor(readonly options: NodeOptions = {}) {}

  pipe(name: string): Pipe {
    const known = this.#pipes.get(name)
    if (known) return known
    const fresh = { epoch: nextEpoch(), head: 0, messages: [], floor: 0, kept: 0 }
    this.#pipes.set(name, fresh)
    return fresh
  }

  keep(name: string, length: number): void {
    this.pipe(name).kept = length
  }

  addUser(id: number, key: string): void {
    this.users.set(id, { key, log: { epoch: nextEpoch(), head: 0, messages: [], floor: 0, kept: 1000 }, taken: 0 })
  }

  /** A backend publishes. */
  insert(pipe: string, data: unknown, event = '', more: { uuid?: string, user?: number } = {}, from?: Visitor): { position: Position, receivers: number } {
    const message = this.#append(this.pipe(pipe), { event, data, ...more })
    const readers = [...this.visitors].filter(visitor => visitor.pipes.has(pipe))
    for (const reader of readers) reader.say({ is: 'message', pipe, ...message })
    return { position: message.position, receivers: readers.filter(reader => reader !== from).length }
  }

  insertForUser(user: number, data: unknown, event = ''): void {
    const log = this.users.get(user)?.log
    if (!log) throw new Error('no such user')
    const message = this.#append(log, { event, data })
    for (const visitor of this.visitors) if (visitor.user === user) visitor.say({ is: 'message', pipe: 'msg', ...message })
  }

  /** What is not kept on disk is gone, and with it what could be vouched for. */
  crash(): void {
    this.cut()
    for (const pipe of this.#pipes.values()) {
      if (pipe.kept) continue
      Object.assign(pipe, { epoch: nextEpoch(), head: 0, messages: [], floor: 0 })
    }
  }

  /** Every connection breaks. */
  cut(code = 1006, reason = ''): void {
    for (const visitor of [...this.visitors]) visitor.end(code, reason)
  }

  /** A message is lost on the way to one who is connected, who is told. */
  lose(pipe: string, visitor: Visitor, data: unknown): void {
    const { position } = this.#append(this.pipe(pipe), { event: '', data })
    for (const other of this.visitors) {
      if (!other.pipes.has(pipe)) continue
      if (other === visitor) other.say({ is: 'gap', pipe, position })
      else other.say({ is: 'message', pipe, event: '', data, position })
    }
  }

  #append(pipe: Pipe, what: Omit<NodeMessage, 'position'>): NodeMessage {
    const message = { ...what, position: [pipe.epoch, ++pipe.head] as const, time: 1_700_000_000_123 }
    pipe.messages.push(message)
    while (pipe.messages.length > Math.max(pipe.kept, this.options.window ?? 100)) {
      pipe.floor = pipe.messages.shift()?.position[1] ?? 0
    }
    return message
  }

  publishOnce(command: Extract<Command, { do: 'publish' }>, from: Visitor): { position: Position, receivers: number } {
    const key = `${command.pipe} ${command.uuid}`
    const known = this.#published.get(key)
    if (known) return known
    const user = command.anonymous || from.user === null ? {} : { user: from.user }
    const done = this.insert(command.pipe, command.data, command.event ?? '', { uuid: command.uuid, ...user }, from)
    this.#published.set(key, done)
    return done
  }
}

export class Visitor {
  readonly pipes = new Set<string>()
  user: number | null = null
  uuid = ''
  #isGreeted = false

  constructor(readonly node: FakeNode, private readonly wire: Wire) {
    node.visitors.add(this)
  }

  say(frame: NodeFrame): void {
    if (!this.node.isMute) this.wire.send(JSON.stringify(frame))
  }

  end(code: number, reason: string): void {
    this.gone()
    this.wire.close(code, reason)
  }

  gone(): void {
    if (!this.node.visitors.delete(this)) return
    for (const pipe of this.pipes) this.#track(pipe, 'unsubscription')
  }

  hear(text: string): void {
    const { node } = this
    const frame = JSON.parse(text) as ClientFrame
    node.heard.push(frame)
    if (node.isMute) return
    if ((frame.do === 'hello') === this.#isGreeted) return this.end(4200, 'hello comes first, once')
    if (frame.do === 'hello') return this.#hello(frame)
    if (frame.do === 'taken') {
      const user = node.users.get(this.user ?? 0)
      if (user && user.log.epoch === frame.position[0]) user.taken = Math.max(user.taken, frame.position[1])
      return
    }
    if (node.busyFor > 0) {
      node.busyFor -= 1
      return this.say({ is: 'error', id: frame.id, code: 503, text: 'not now' })
    }
    this.#command(frame)
  }

  #hello({ user, key, uuid = '', position }: Extract<ClientFrame, { do: 'hello' }>): void {
    const { node } = this
    this.#isGreeted = true
    this.uuid = uuid
    if (node.refuses) return this.end(node.refuses.code, node.refuses.reason)
    const known = node.users.get(user ?? 0)
    this.user = known && known.key === key && user !== undefined ? user : null
    const { messageBytesMax = 1_048_576, subscriptionsMax = 1_024 } = node.options
    this.say({ is: 'welcome', user: this.user, server: 'fake', ping_seconds: 25, message_bytes_max: messageBytesMax, subscriptions_max: subscriptionsMax })
    if (known && this.user !== null) this.#follow('msg', known.log, position ?? [known.log.epoch, known.taken], position ? {} : { recovered: undefined })
  }

  #command(frame: Command): void {
    const { id } = frame
    switch (frame.do) {
      case 'subscribe':
        for (const wish of frame.pipes) this.#subscribe(id, wish)
        return this.#answer(frame)
      case 'unsubscribe':
        for (const pipe of frame.pipes) if (this.pipes.delete(pipe)) this.#track(pipe, 'unsubscription')
        return this.#answer(frame)
      case 'publish': return this.#publish(frame)
      case 'history': return this.#history(id, frame.pipe, frame.last ?? 1_000)
      case 'count':
        if (!/^(web|track)_/.test(frame.pipe)) return this.#refuse(id, 403)
        return this.#answer(frame, { count: [...this.node.visitors].filter(({ pipes }) => pipes.has(frame.pipe)).length })
      case 'users':
        if (!frame.pipe.startsWith('track_')) return this.#refuse(id, 403)
        return this.#answer(frame, { users: [...this.node.visitors].filter(({ pipes }) => pipes.has(frame.pipe)).map(({ user, uuid }) => ({ user, uuid })) })
      case 'user_data': return this.#answer(frame, { data: this.node.userData.get(frame.user) ?? '' })
      case 'seen': return this.#seen(frame)
      case 'ping': return this.#answer(frame)
    }
  }

  #publish(frame: Extract<Command, { do: 'publish' }>): void {
    const isAllowed = /^web_/.test(frame.pipe) || (/^webauth_/.test(frame.pipe) && this.user !== null && !frame.anonymous)
    if (!isAllowed) return this.#refuse(frame.id, 403)
    if (JSON.stringify(frame.data).length > (this.node.options.messageBytesMax ?? 1_048_576)) return this.#refuse(frame.id, 413)
    this.#answer(frame, { ...this.node.publishOnce(frame, this), uuid: frame.uuid })
  }

  #seen(frame: Extract<Command, { do: 'seen' }>): void {
    const at = this.node.seen.get(frame.user)
    if ([...this.node.visitors].some(({ user }) => user === frame.user)) return this.#answer(frame, { status: 'online' })
    this.#answer(frame, at === undefined ? { status: 'unknown' } : { status: 'offline', seen_at: at })
  }

  #subscribe(id: number, { pipe: name, position, last }: PipeWish): void {
    if (/^private_/.test(name) && this.user === null) return this.#refuse(id, 403, name)
    if (this.pipes.has(name)) return this.say({ is: 'subscribed', id, pipe: name })
    if (this.pipes.size >= (this.node.options.subscriptionsMax ?? 1_024)) return this.#refuse(id, 429, name)
    const pipe = this.node.pipe(name)
    const isThere = position && position[0] === pipe.epoch && position[1] >= pipe.floor && position[1] <= pipe.head
    if (last && !isThere) this.#page(id, name, kept(pipe).slice(-last), false)
    this.#track(name, 'subscription')
    this.pipes.add(name)
    this.#follow(name, pipe, position, { id })
  }

  #follow(name: string, pipe: Pipe, position: Position | undefined, more: { id?: number, recovered?: undefined }): void {
    const isThere = position && position[0] === pipe.epoch && position[1] >= pipe.floor && position[1] <= pipe.head
    const from: Position = isThere ? position : [pipe.epoch, pipe.head]
    this.say({ is: 'subscribed', pipe: name, position: from, ...position && { recovered: !!isThere }, ...more } as NodeFrame)
    for (const message of pipe.messages) if (message.position[1] > from[1]) this.say({ is: 'message', pipe: name, ...message })
  }

  #history(id: number, name: string, last: number): void {
    if (/^private_/.test(name) && this.user === null) return this.#refuse(id, 403)
    const messages = kept(this.node.pipe(name)).slice(-last)
    // Two pages, so that nobody relies on one.
    const half = Math.ceil(messages.length / 2)
    this.#page(id, name, messages.slice(0, half), true)
    this.#page(id, name, messages.slice(half), false)
  }

  #page(id: number, pipe: string, messages: NodeMessage[], more: boolean): void {
    this.say({ is: 'history', id, pipe, messages, more })
  }

  #track(pipe: string, event: string): void {
    if (pipe.startsWith('track_')) this.node.insert(pipe, { user_id: this.user ?? 0, uuid: this.uuid }, event)
  }

  #answer(frame: Command, what: object = {}): void {
    if (this.node.losesAnswersTo === frame.do) return this.end(1006, '')
    this.say({ is: 'answer', id: frame.id, ...what })
  }

  #refuse(id: number, code: number, pipe?: string): void {
    this.say({ is: 'error', id, code, text: `refused with ${code}`, ...pipe !== undefined && { pipe } })
  }
}

function kept({ messages, kept }: Pipe): NodeMessage[] {
  return kept ? messages.slice(-kept) : []
}
