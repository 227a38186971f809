// The original's JavaScript API, method for method, over the same client.

import { nodeUrl } from './address.js'
import { Comet, type Options } from './comet.js'
import { CometError } from './errors.js'
import type { Position } from './frames.js'
import { pipesOf, type Place } from './names.js'
import { call, type Message, type Subscription } from './subscription.js'
import { Base64, stripslashes } from './text.js'
import { surroundings, type World } from './world.js'

export interface ServerInfo {
  readonly event: string
  readonly pipe: string
  /** From what the pipe keeps, not as it was published. */
  readonly history: boolean
  /** Of the call that asked for it. */
  readonly marker: string | undefined
  /** The user who published it, from a browser; 0 if nobody says. */
  readonly user_id: number
  readonly uuid: string | undefined
  readonly position: Position | undefined
}

export interface ClassicMessage<Data = any> {
  readonly data: Data
  readonly server_info: ServerInfo
}

export type ClassicCallback<Data = any> = (message: ClassicMessage<Data>) => void

export interface ClassicOptions extends Options {
  readonly nodes?: readonly string[]
  readonly nodeArray?: readonly string[]
  readonly wss?: boolean
  /** Which of several nodes comes first depends on the user. */
  readonly roundrobin?: boolean
  /** There are no statistics. */
  readonly nostat?: boolean
}

interface Entry {
  readonly place: Place
  readonly callback: ClassicCallback
  readonly subscription: Subscription | undefined
}

export interface PipeCount {
  readonly user_in_pipe: number
  readonly 0: 'user_in_pipe'
  readonly 1: number
}

const isEverything = (place: Place): boolean => place.kind === 'everything'

const LOG_LEVEL_KEY = 'comet_LogLevel'

export class CometServerApi {
  readonly Base64 = Base64
  readonly stripslashes = stripslashes
  readonly #world: World
  readonly #comet: Comet
  #options: ClassicOptions
  #entries = new Map<string, Entry>()
  #count = 0
  #isAuthorized: boolean | undefined
  #onAuthSuccess: (() => void)[] = []
  #onAuthFail: (() => void)[] = []
  #started: (() => void)[] = []
  #realUserKey: string | undefined
  #logLevel: number

  constructor(options: ClassicOptions = {}, world: World = surroundings()) {
    this.#world = world
    this.#options = options
    this.#comet = new Comet({}, world)
    this.#logLevel = Number(world.storage.read(LOG_LEVEL_KEY) ?? 0)
    this.#comet.on('welcome', user => this.#authorize(user !== null))
    this.#comet.on('message', message => { if (!message.own) this.#tell(this.#classic(message), isEverything) })
    this.#comet.on('error', ({ error, pipe }) => this.#complain(error, { code: String(error.number), pipe }))
    this.#comet.on('state', state => {
      this.#log(state.name === 'refused' ? 0 : 1, 'connection:', state)
      if (state.name === 'live') for (const started of this.#started.splice(0)) call(started)
    })
    this.#comet.on('frame', ({ direction, frame }) => this.#log(direction === 'in' ? 2 : 3, direction, frame))
  }

  get options(): ClassicOptions {
    return this.#options
  }

  /** The client of the other face, over the same connection. */
  get client(): Comet {
    return this.#comet
  }

  /** Connects; `callback` is called once, when that has been done. */
  start(options: ClassicOptions = {}, callback?: () => void): true {
    this.#merge(options)
    if (callback && this.isConnected()) queueMicrotask(() => call(callback))
    else if (callback) this.#started.push(callback)
    this.#comet.start(this.#asOptions())
    return true
  }

  /** Connects anew, with what is given changed. */
  restart(options: ClassicOptions = {}, callback?: () => void): true {
    this.#merge(options)
    if (callback) this.#started.push(callback)
    this.#comet.restart(this.#asOptions())
    return true
  }

  stop(): true {
    this.#comet.stop()
    return true
  }

  /** Answers with an id for `unsubscription`, with a list of them for a list of names, and false for what is no name. */
  subscription(callback: ClassicCallback): string
  subscription(name: string, callback?: ClassicCallback): string | string[] | false
  subscription(names: readonly string[], callback?: ClassicCallback): string[] | false
  subscription(names: string | readonly string[] | ClassicCallback, callback: ClassicCallback = () => {}): string | string[] | false {
    if (typeof names === 'function') return this.#subscribe({ kind: 'everything', name: '' }, names)
    const places = pipesOf(names)
    if (!places) {
      this.#log(0, 'no name of a pipe:', names)
      return false
    }
    const ids = places.map(place => this.#subscribe(place, callback))
    return typeof names === 'string' && ids.length === 1 && ids[0] !== undefined ? ids[0] : ids
  }

  Subscription(callback: ClassicCallback): string
  Subscription(name: string, callback?: ClassicCallback): string | string[] | false
  Subscription(names: readonly string[], callback?: ClassicCallback): string[] | false
  Subscription(names: string | readonly string[] | ClassicCallback, callback?: ClassicCallback): string | string[] | false {
    return this.subscription(names as string, callback)
  }

  /** True if there was such a subscription. */
  unsubscription(id?: string | readonly string[] | false): boolean {
    if (!id) return false
    const known = [id].flat().filter(one => this.#entries.has(one))
    for (const one of known) {
      const entry = this.#entries.get(one)
      this.#entries.delete(one)
      entry?.subscription?.close()
    }
    return known.length > 0
  }

  unsubscriptionAll(): true {
    this.unsubscription([...this.#entries.keys()])
    return true
  }

  /** `(pipe, event, message)`, `(pipe, message)` or `("pipe.event", message)`. True if it is on its way, false if it waits. */
  web_pipe_send(pipe: string, event: string, message: unknown): boolean | undefined
  web_pipe_send(pipe: string, message: unknown): boolean | undefined
  web_pipe_send(pipeAndEvent: string, ...rest: unknown[]): boolean | undefined {
    const [name = '', afterDot] = pipeAndEvent.split('.', 2)
    const [event, message] = rest[1] === undefined ? [afterDot, rest[0]] : [String(rest[0]), rest[1]]
    const [, at, pipe] = /^(@?)(web_[\w-]+|webauth_[\w-]+)$/.exec(name) ?? []
    if (pipe === undefined) {
      this.#log(0, 'pages publish to web_* and webauth_* only, not to', name)
      return undefined
    }
    if (message === undefined) return false
    const sent = this.#comet.publish(pipe, message, { ...event && { event }, anonymous: at === '@' })
    sent.then(({ receivers, uuid, position }) => this.#report(pipe, message, receivers, { uuid, position }), this.#failed)
    return this.isConnected()
  }

  /** Once is enough: what is not answered is repeated, and told apart from a second message. */
  multi_web_pipe_send(pipe: string, event: string, message: unknown, _count?: number, _interval?: number): boolean | undefined {
    return this.web_pipe_send(pipe, event, message)
  }

  /** What the pipe keeps goes to `callback`, or to everyone who has subscribed to the pipe. */
  get_pipe_log(pipe: string, callback?: ClassicCallback): boolean | undefined {
    return this.#ask(pipe, /^[\w-]{2,64}$/, async marker => {
      const messages = await this.#comet.history(pipe)
      for (const message of messages) {
        if (callback) call(callback, this.#classic(message, marker))
        else this.#past(message, marker)
      }
    })
  }

  /** `data.user_in_pipe` says how many have subscribed to a pipe `web_*` or `track_*`. */
  count_users_in_pipe(pipe: string, callback?: ClassicCallback<PipeCount>): boolean | undefined {
    return this.#ask(pipe, /^(web|track)_[\w-]+$/, async marker => {
      const count = await this.#comet.count(pipe)
      const data = { user_in_pipe: count, 0: 'user_in_pipe', 1: count } as const
      call(callback, { data, server_info: this.#info('_answer_pipe_count', 'user_in_pipe', { marker }) })
    })
  }

  count_user_in_pipe(pipe: string, callback?: ClassicCallback<PipeCount>): boolean | undefined {
    return this.count_users_in_pipe(pipe, callback)
  }

  /** Who has subscribed to a pipe `track_*`. */
  getTrackPipeUsers(pipe: string, callback?: ClassicCallback<{ user_id: number, uuid: string }[]>): boolean | undefined {
    return this.#ask(pipe, /^track_[\w-]+$/, async marker => {
      const users = await this.#comet.users(pipe)
      const data = users.map(({ user, uuid }) => ({ user_id: user ?? 0, uuid }))
      call(callback, { data, server_info: this.#info('_answer', 'answer', { marker }) })
    })
  }

  getUserData(user: number | string, callback?: ClassicCallback<{ user_data: string, user_id: number }>): boolean | undefined {
    return this.#ask(String(user), /^\d+$/, async marker => {
      const user_data = await this.#comet.userData(Number(user))
      call(callback, { data: { user_data, user_id: Number(user) }, server_info: this.#info('_answer', 'answer', { marker }) })
    })
  }

  onAuthSuccess(callback: () => void): void {
    this.#onAuthSuccess.push(callback)
  }

  /** The name by which programs know it; `onAuthFail` is the same. */
  onAuthFalill(callback: () => void): void {
    this.#onAuthFail.push(callback)
  }

  onAuthFail(callback: () => void): void {
    this.onAuthFalill(callback)
  }

  /** Undefined before the node has said. */
  isAuthorized(): boolean | undefined {
    return this.#isAuthorized
  }

  /** Whether this tab holds the connection; undefined before that is known. */
  isMaster(): boolean | undefined {
    return this.#comet.isMaster
  }

  isConnected(): boolean {
    return this.#comet.state.name === 'live'
  }

  getUserId(): number | string | undefined {
    return this.#options.user_id
  }

  getUserKey(): string | undefined {
    return this.#options.user_key
  }

  getDevId(): number | string {
    return this.#options.dev_id ?? 0
  }

  getUUID(): string {
    return this.#comet.uuid
  }

  getTabUUID(): string {
    return this.#comet.tab
  }

  /** The key that was last accepted, or the one that was set. */
  getRealUserKey(): string | undefined {
    return this.#realUserKey
  }

  setRealUserKey(key: string): true {
    this.#realUserKey = key
    return true
  }

  /** Ten digits, another ten each time. */
  getCustomString(): string {
    return Array.from(this.#world.randomBytes(10), byte => byte % 10).join('')
  }

  /** 0 errors, 1 the connection, 2 frames that come in, 3 frames that go out, too. Remembered. */
  setLogLevel(level: number): void {
    this.#logLevel = level
    this.#world.storage.write(LOG_LEVEL_KEY, String(level))
  }

  getLogLevel(): number {
    return this.#logLevel
  }

  /** Whether to use TLS; without an argument, as the page does. */
  UseWss(isUsed?: boolean): boolean {
    const { wss: _, ...options } = this.#options
    this.#options = isUsed === undefined ? options : { ...options, wss: isUsed }
    return this.isUseWss()
  }

  isUseWss(): boolean {
    return this.#options.wss ?? this.#world.page?.protocol === 'https:'
  }

  /** There is nothing else. */
  UseWebSocket(_isUsed?: boolean): true {
    return true
  }

  getUrl(node?: string): string {
    const { dev_id = 0 } = this.#options
    if (node !== undefined) return nodeUrl(node, { tenant: Number(dev_id), secure: this.isUseWss() })
    return new Comet(this.#asOptions(), this.#world).urls[0] ?? ''
  }

  /** Nothing is collected. */
  sendStatistics(): void {}

  #merge(options: ClassicOptions): void {
    const { user_id, user_key } = this.#options
    this.#options = { ...this.#options, ...options }
    if (this.#options.user_id !== user_id || this.#options.user_key !== user_key) this.#isAuthorized = undefined
  }

  #asOptions(): Options {
    const { nodes, nodeArray, wss, roundrobin, nostat: _, ...options } = this.#options
    const node = nodes ?? options.node ?? nodeArray
    const count = [node].flat().length
    const user = Number(options.user_id)
    const first_node = !roundrobin ? 0 : user > 0 ? user % count : Math.floor(this.#world.random() * count)
    const protocol = wss === undefined ? options.protocol ?? this.#world.page?.protocol ?? '' : wss ? 'wss' : 'ws'
    return { first_node, ...options, protocol, ...node !== undefined && { node } }
  }

  #subscribe(place: Place, callback: ClassicCallback): string {
    const id = `${place.name}&&sig${++this.#count}`
    const { kind } = place
    const onMessage = (message: Message) => { if (!message.own) call(callback, this.#classic(message)) }
    try {
      const subscription = kind !== 'pipe' ? undefined : this.#comet.subscribe(place.pipe, { ...place.event !== undefined && { event: place.event }, onMessage })
      this.#entries.set(id, { place, callback, subscription })
    } catch (error) {
      this.#failed(error as CometError)
    }
    return id
  }

  #authorize(isAuthorized: boolean): void {
    if (isAuthorized && this.#options.user_key !== undefined) this.#realUserKey = this.#options.user_key
    if (this.#isAuthorized === isAuthorized) return
    this.#isAuthorized = isAuthorized
    for (const callback of isAuthorized ? this.#onAuthSuccess : this.#onAuthFail) call(callback)
  }

  #tell(message: ClassicMessage, isMeant: (place: Place) => boolean): void {
    for (const { place, callback } of [...this.#entries.values()]) if (isMeant(place)) call(callback, message)
  }

  #past(message: Message, marker: string): void {
    const { pipe, event } = message
    const classic = this.#classic(message, marker)
    this.#tell(classic, place => place.kind === 'pipe' && place.pipe === pipe && (place.event ?? event) === event)
    this.#tell(classic, isEverything)
  }

  #report(pipe: string, message: unknown, number_messages: number, what: Partial<ServerInfo>): void {
    const report = { data: { number_messages, message }, server_info: this.#info(`_answer_to_${pipe}`, 'answer', what) }
    this.#tell(report, place => place.kind === 'report' && place.pipe === pipe)
  }

  readonly #failed = (error: CometError): void => {
    this.#complain(error, { error_code: error.number, number_messages: -1 })
  }

  /** As the original: whoever has subscribed to `sys` hears of it. */
  #complain(error: CometError, more: object): void {
    this.#log(0, error.message)
    this.#tell({ data: { error: error.message, ...more }, server_info: this.#info('sys', 'error', {}) }, place => place.kind === 'sys')
  }

  #ask(about: string, valid: RegExp, how: (marker: string) => Promise<void>): boolean | undefined {
    if (!valid.test(about)) {
      this.#log(0, 'cannot be asked about:', about)
      return undefined
    }
    how(this.getCustomString()).catch(this.#failed)
    return this.isConnected()
  }

  #classic(message: Message, marker?: string): ClassicMessage {
    const { data, pipe, event, user = 0, history, uuid, position } = message
    return { data, server_info: this.#info(pipe, event, { history, marker, user_id: user, uuid, position }) }
  }

  #info(pipe: string, event: string, what: Partial<ServerInfo>): ServerInfo {
    return { event, pipe, history: false, marker: undefined, user_id: 0, uuid: undefined, position: undefined, ...what }
  }

  #log(level: number, ...what: unknown[]): void {
    if (level > this.#logLevel) return
    if (level === 0) console.error('cometql:', ...what)
    else console.log('cometql:', ...what.map(one => JSON.stringify(one, (name, value: unknown) => name === 'key' ? '…' : value)))
  }
}
