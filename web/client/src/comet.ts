// The client: what a program says becomes commands of the session, what the session says becomes calls and promises.

import { nodeUrl } from './address.js'
import { Connection, type ConnectionState, type Ears, type Transport } from './connection.js'
import { CometError } from './errors.js'
import { LOG, type Answer, type Command, type NodeFrame, type NodeMessage, type Position } from './frames.js'
import { identifier, uuidOf } from './identifier.js'
import { Listeners, type Off } from './listeners.js'
import { Session, type Credentials, type Effect } from './session.js'
import { Subscription, type Gap, type Message, type Reader, type SubscribeOptions } from './subscription.js'
import { Tabs } from './tabs.js'
import { surroundings, type SocketConstructor, type World } from './world.js'

export interface Options {
  /** `host`, `host:port`, either with a mount path, or a `ws(s)://` URL; several for failover. The page's own host without it. */
  readonly node?: string | readonly string[]
  /** The tenant: 0 without it. */
  readonly dev_id?: number | string
  readonly user_id?: number | string
  /** The hash or the token that proves who the user is. */
  readonly user_key?: string
  /** What this client calls itself towards others; otherwise one is made up and remembered. */
  readonly uuid?: string
  /** `ws` or `wss`, for nodes that do not say; as the page itself was loaded without it. */
  readonly protocol?: string
  /** Which node of several comes first. */
  readonly first_node?: number
  /** False: a connection of its own for each tab. */
  readonly tabs?: boolean
  /** How long a command may be unanswered, in milliseconds: 60,000, and five minutes at most. */
  readonly timeout?: number
  /** Where there is none, as in Node before 22. */
  readonly WebSocket?: SocketConstructor
}

export interface PublishOptions {
  readonly event?: string
  /** Hides the user. */
  readonly anonymous?: boolean
  /** Who publishes twice with the same one publishes once. */
  readonly uuid?: string
  readonly signal?: AbortSignal
}

export interface Published {
  readonly position: Position
  /** Connections that were subscribed when the message was numbered, without this one. */
  readonly receivers: number
  readonly uuid: string
}

export interface PipeUser {
  readonly user: number | null
  readonly uuid: string
}

export interface Seen {
  readonly status: 'online' | 'offline' | 'unknown'
  /** When the user went away; beside `offline` only. */
  readonly seenAt: Date | undefined
}

export interface CometEvents {
  state: ConnectionState
  /** The node has said who we are: null for nobody in particular. */
  welcome: number | null
  /** Every message of every pipe. */
  message: Message
  gap: Gap
  /** A pipe was refused. */
  error: { readonly pipe: string, readonly error: CometError }
  frame: { readonly direction: 'in' | 'out', readonly frame: object }
}

interface CommandOptions {
  readonly signal?: AbortSignal
}

interface Pending {
  resolve(answer: Answer, messages: readonly NodeMessage[]): void
  reject(error: CometError): void
}

/** Tabs whose libraries say different things to each other do not share. */
const TABS_VERSION = 1
const TIMEOUT = 60_000
/** As long as a node knows a publish again. */
const TIMEOUT_MAX = 300_000

export class Comet {
  readonly #world: World
  readonly #tab: string
  readonly #ownUuid: string
  #options: Options = {}
  #session: Session
  #transport: Transport | undefined
  #state: ConnectionState = { name: 'stopped' }
  #user: number | null | undefined
  #readers = new Map<string, readonly Reader[]>()
  #live = new Map<string, { readonly recovered: boolean | undefined }>()
  #pending = new Map<number, Pending>()
  #listeners = new Listeners<CometEvents>()
  #isFlushDue = false
  #isTired = false
  #identity = ''
  #place: string | undefined
  #unwatch = () => {}

  constructor(options: Options = {}, world: World = surroundings()) {
    this.#world = world
    this.#tab = identifier(world, 16)
    this.#options = options
    this.#ownUuid = rememberedUuid(world)
    this.#session = new Session(this.#credentials())
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Who the node says we are: null for nobody in particular, undefined before it has said. */
  get user(): number | null | undefined {
    return this.#user
  }

  get uuid(): string {
    return this.#credentials().uuid
  }

  /** Of this page, as long as it lives. */
  get tab(): string {
    return this.#tab
  }

  /** What would be dialled. */
  get urls(): readonly string[] {
    return this.#urls()
  }

  get options(): Options {
    return this.#options
  }

  /** Whether this tab holds the connection; undefined before that is known. */
  get isMaster(): boolean | undefined {
    return this.#transport?.isMaster
  }

  /** Connects. Once it has, it changes what is given and reconnects if that makes a difference. */
  start(options: Options = {}): void {
    const isRunning = this.#transport !== undefined && this.#state.name !== 'refused'
    this.#options = { ...this.#options, ...options }
    if (isRunning && this.#identity === this.#identified()) return
    this.#connect()
  }

  /** Connects anew, whatever there is. */
  restart(options: Options = {}): void {
    this.#options = { ...this.#options, ...options }
    this.#connect()
  }

  /** Disconnects. Subscriptions stay for the next `start`; what is unanswered fails. */
  stop(): void {
    this.#disconnect()
    this.#failAll(new CometError('stopped', 'the client was stopped'))
  }

  on<Name extends keyof CometEvents>(name: Name, listener: (event: CometEvents[Name]) => void, { signal }: CommandOptions = {}): Off {
    return this.#listeners.add(name, listener, signal)
  }

  subscribe<Data = unknown>(pipe: string, options: SubscribeOptions<Data> = {}): Subscription<Data> {
    checkPipe(pipe)
    const { position, last, signal } = options
    const others = this.#readers.get(pipe)
    if (others && position) throw new CometError('invalid', `it is too late for a position: ${pipe} is subscribed to`)
    if (!signal?.aborted) this.#session.subscribe(pipe, { ...position && { position }, ...last && { last } })
    const subscription: Subscription<Data> = new Subscription(pipe, options, () => this.#unsubscribe(pipe, subscription))
    if (signal?.aborted) {
      subscription.close()
      return subscription
    }
    this.#readers.set(pipe, [...others ?? [], subscription])
    const live = this.#live.get(pipe)
    if (live) subscription.answered({ position: this.#session.position(pipe), recovered: live.recovered })
    if (pipe === LOG && !others) queueMicrotask(() => this.#apply(this.#session.listenToLog()))
    if (others && last) this.#catchUp(subscription, { last, ...signal && { signal } })
    this.#flushSoon()
    return subscription
  }

  /** The pipe is live for others: the past has to be asked for, and comes first. */
  #catchUp(subscription: Reader, options: { last: number, signal?: AbortSignal }): void {
    const { pipe } = subscription
    subscription.hold()
    this.history(pipe, options).then(past => subscription.release(past), (error: CometError) => {
      this.#listeners.emit('error', { pipe, error })
      subscription.release([])
    })
  }

  publish(pipe: string, data: unknown, { event, anonymous, uuid = uuidOf(this.#world), signal }: PublishOptions = {}): Promise<Published> {
    const command = { do: 'publish', pipe, data, uuid, ...event && { event }, ...anonymous && { anonymous } } as const
    return this.#ask(command, signal, ({ position, receivers }) => ({ position: position as Position, receivers: receivers as number, uuid }))
  }

  /** What the pipe keeps, oldest first. */
  history<Data = unknown>(pipe: string, { last, signal }: { last?: number, signal?: AbortSignal } = {}): Promise<Message<Data>[]> {
    return this.#ask({ do: 'history', pipe, ...last !== undefined && { last } }, signal, (_, messages) => {
      return messages.map(message => this.#message(pipe, message, true) as Message<Data>)
    })
  }

  /** How many are subscribed to a pipe `web_*` or `track_*`. */
  count(pipe: string, { signal }: CommandOptions = {}): Promise<number> {
    return this.#ask({ do: 'count', pipe }, signal, answer => answer['count'] as number)
  }

  /** Who is subscribed to a pipe `track_*`. */
  users(pipe: string, { signal }: CommandOptions = {}): Promise<PipeUser[]> {
    return this.#ask({ do: 'users', pipe }, signal, answer => answer['users'] as PipeUser[])
  }

  /** The text that a backend has stored about a user. */
  userData(user: number, { signal }: CommandOptions = {}): Promise<string> {
    return this.#ask({ do: 'user_data', user }, signal, answer => answer['data'] as string)
  }

  seen(user: number, { signal }: CommandOptions = {}): Promise<Seen> {
    return this.#ask({ do: 'seen', user }, signal, ({ status, seen_at: at }) => {
      return { status: status as Seen['status'], seenAt: at === undefined ? undefined : new Date(at as number * 1000) }
    })
  }

  #ask<Result>(command: Command, signal: AbortSignal | undefined, read: (answer: Answer, messages: readonly NodeMessage[]) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if ('pipe' in command) checkPipe(command.pipe)
      const aborted = new CometError('aborted', 'the command was aborted')
      if (signal?.aborted) throw aborted
      const id = this.#session.command(command)
      const milliseconds = Math.min(this.#options.timeout ?? TIMEOUT, TIMEOUT_MAX)
      const cancel = this.#world.after(milliseconds, () => this.#settle(id, pending => {
        pending.reject(new CometError('unanswered', `no answer to ${command.do} within ${milliseconds} ms: done or not, nobody knows`))
      }))
      const abort = () => this.#settle(id, pending => pending.reject(aborted))
      signal?.addEventListener('abort', abort)
      const over = () => {
        cancel()
        signal?.removeEventListener('abort', abort)
      }
      this.#pending.set(id, {
        resolve: (answer, messages) => { over(); resolve(read(answer, messages)) },
        reject: error => { over(); reject(error) },
      })
      this.#flushSoon()
    })
  }

  #settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    this.#session.abandon(id)
    if (pending) how(pending)
  }

  #failAll(error: CometError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, pending => pending.reject(error))
  }

  #unsubscribe(pipe: string, subscription: Reader): void {
    const rest = (this.#readers.get(pipe) ?? []).filter(other => other !== subscription)
    if (rest.length) return void this.#readers.set(pipe, rest)
    if (!this.#readers.delete(pipe)) return
    this.#live.delete(pipe)
    if (pipe === LOG) this.#session.deafenLog()
    else this.#session.unsubscribe(pipe)
    this.#flushSoon()
  }

  #credentials(): Credentials {
    const { user_id: user, user_key: key, uuid } = this.#options
    const number = Number(user)
    return { uuid: uuid ?? this.#ownUuid, ...user !== undefined && key !== undefined && number > 0 && { user: number, key } }
  }

  #urls(): string[] {
    const { node, dev_id: tenant = 0, protocol } = this.#options
    const page = this.#world.page
    const nodes = node === undefined ? page && /^https?:/.test(page.protocol) ? [page.host] : [] : [node].flat()
    if (!nodes.length) throw new CometError('invalid', 'say where the node is: option `node`')
    const secure = /^(wss|https)/.test(protocol ?? page?.protocol ?? '')
    return nodes.map(one => nodeUrl(one, { tenant: Number(tenant), secure }))
  }

  /** What makes a connection this one and no other. */
  #identified(): string {
    return JSON.stringify([this.#urls(), this.#credentials(), this.#options.tabs, this.#options.first_node])
  }

  #connect(): void {
    const urls = this.#urls()
    const place = urls.join()
    this.#disconnect()
    if (this.#place !== undefined && this.#place !== place) this.#session.forget()
    this.#place = place
    this.#identity = this.#identified()
    const credentials = this.#credentials()
    this.#session.login(credentials)
    this.#user = undefined
    this.#transport = this.#transportTo(urls, credentials)
    this.#transport.start()
    this.#unwatch = this.#world.page?.watch(event => {
      // A page that is hidden may come back as it was, or never: it lets go, and takes up again.
      if (event === 'hide') this.#transport?.stop()
      else if (event === 'show') this.#transport?.start()
      else if (event !== 'offline') this.#transport?.wake()
    }) ?? (() => {})
  }

  #transportTo(urls: readonly string[], credentials: Credentials): Transport {
    const world = this.#options.WebSocket ? { ...this.#world, WebSocket: this.#options.WebSocket } : this.#world
    const { locks, openChannel } = world
    const first = this.#options.first_node ?? 0
    const ears = this.#ears()
    if (this.#options.tabs === false || !locks || !openChannel) return new Connection(world, urls, ears, first)
    const name = `cometql ${TABS_VERSION} ${urls.join()} ${credentials.user ?? ''}`
    return new Tabs(world, locks, openChannel, { name, tab: this.#tab, urls, first }, credentials, ears)
  }

  #disconnect(): void {
    this.#unwatch()
    this.#transport?.stop()
    this.#transport = undefined
  }

  #ears(): Ears {
    return {
      opened: () => this.#send(this.#session.opened()),
      received: frame => this.#receive(frame),
      closed: () => {
        this.#session.closed()
        this.#live.clear()
      },
      changed: state => {
        this.#state = state
        this.#listeners.emit('state', state)
        if (state.name === 'refused') this.#failAll(new CometError('refused', `the node refuses us: ${state.reason} (${state.code})`, state.code))
      },
    }
  }

  #receive(frame: NodeFrame): void {
    this.#listeners.emit('frame', { direction: 'in', frame })
    this.#apply(this.#session.receive(frame))
    this.#flushSoon()
  }

  #send(frames: Parameters<Transport['send']>[0]): void {
    for (const frame of frames) this.#listeners.emit('frame', { direction: 'out', frame })
    if (frames.length) this.#transport?.send(frames)
  }

  /** At the end of what the program is just doing, so that its subscriptions go out in one frame. */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    queueMicrotask(() => {
      this.#isFlushDue = false
      this.#send(this.#session.flush())
    })
  }

  #apply(effects: readonly Effect[]): void {
    for (const effect of effects) this.#do(effect)
  }

  #do(effect: Effect): void {
    switch (effect.kind) {
      case 'message': {
        const message = this.#message(effect.pipe, effect.message, effect.history)
        for (const reader of this.#readers.get(effect.pipe) ?? []) reader.deliver(message)
        return this.#listeners.emit('message', message)
      }
      case 'gap': {
        const { pipe, from, to } = effect
        for (const reader of this.#readers.get(pipe) ?? []) reader.gap({ pipe, from, to })
        return this.#listeners.emit('gap', { pipe, from, to })
      }
      case 'subscribed': {
        const { pipe, position, recovered } = effect
        this.#live.set(pipe, { recovered })
        for (const reader of this.#readers.get(pipe) ?? []) reader.answered({ position, recovered })
        return
      }
      case 'refused':
        for (const reader of this.#readers.get(effect.pipe) ?? []) reader.refused(effect.error)
        return this.#listeners.emit('error', { pipe: effect.pipe, error: effect.error })
      case 'welcome':
        this.#user = effect.user
        return this.#listeners.emit('welcome', effect.user)
      case 'answered': return this.#settle(effect.id, pending => pending.resolve(effect.answer, effect.messages))
      case 'failed': return this.#settle(effect.id, pending => pending.reject(effect.error))
      case 'tired': return this.#rest()
    }
  }

  #rest(): void {
    if (this.#isTired) return
    this.#isTired = true
    this.#world.after(1_000 + this.#world.random() * 2_000, () => {
      this.#isTired = false
      this.#session.rested()
      this.#flushSoon()
    })
  }

  #message(pipe: string, { event, data, position, uuid, time, user }: NodeMessage, history: boolean): Message {
    const at = time === undefined ? undefined : new Date(time)
    return { pipe, event, data, position, uuid, time: at, user, history, own: this.#session.isOwn(uuid) }
  }
}

/** A client that has begun to connect. */
export function connect(options: Options = {}): Comet {
  const comet = new Comet(options)
  comet.start()
  return comet
}

function checkPipe(pipe: string): void {
  if (!/^[\w-]{2,64}$/.test(pipe)) {
    throw new CometError('invalid', `not the name of a pipe: ${JSON.stringify(pipe)} (2 to 64 of A-Za-z0-9_-)`)
  }
}

const UUID_KEY = 'comet_server_uuid'

/** One for all tabs of a browser, as it is one device. */
function rememberedUuid(world: World): string {
  const known = world.storage.read(UUID_KEY)
  if (known && /^[\w-]{8,64}$/.test(known)) return known
  const uuid = identifier(world, 32)
  world.storage.write(UUID_KEY, uuid)
  return uuid
}
