// The life of one connection to one of several nodes: dialling, noticing that it is dead, waiting, dialling again.

import { remedy, wait, WAIT_MAX, type Remedy } from './backoff.js'
import { parseFrame, type ClientFrame, type NodeFrame } from './frames.js'
import type { Socket, World } from './world.js'

export type ConnectionState =
  | { readonly name: 'stopped' }
  | { readonly name: 'connecting', readonly node: string }
  | { readonly name: 'live', readonly node: string }
  | { readonly name: 'waiting', readonly code: number, readonly reason: string }
  | { readonly name: 'offline' }
  | { readonly name: 'refused', readonly code: number, readonly reason: string }

/** Who is told what becomes of a connection. */
export interface Ears {
  /** An attempt begins; `opened` or `closed` follows. */
  dialing?(): void
  /** Frames can be sent. */
  opened(): void
  /** `length` is that of the text the frame came in. */
  received(frame: NodeFrame, length: number): void
  closed(): void
  changed(state: ConnectionState): void
}

/** A connection, or what is as good as one. */
export interface Transport {
  start(): void
  stop(): void
  /** The world may have changed: try at once, and see whether the other side is still there. */
  wake(): void
  send(frames: readonly ClientFrame[]): void
  /** Whether this page holds the connection; undefined until that is known. */
  readonly isMaster: boolean | undefined
}

const WELCOME_DEADLINE = 10_000
const PING_DEADLINE = 10_000
const WAKE_DEADLINE = 4_000
/** A timer that is so much late says that the computer slept, or the page. */
const SLEEP_MIN = 2_000
/** So long a connection must have lived to count as a success. */
const STEADY_AFTER = 10_000
const PING_ID = 0
const NO_ANSWER = 1006

export class Connection implements Transport {
  readonly isMaster = true
  #socket: Socket | undefined
  #isRunning = false
  #isWelcome = false
  #turn: number
  #attempt = 0
  /** Frames of this connection, so far. */
  #heard = 0
  #welcomeAt = 0
  #pingEvery = 25_000
  /** Of the one thing that is waited for: the next attempt, then the welcome, then the moment to move. */
  #cancel = () => {}
  #cancelPing = () => {}

  constructor(
    private readonly world: World,
    private readonly urls: readonly string[],
    private readonly ears: Ears,
    first = 0,
  ) {
    this.#turn = first
  }

  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#attempt = 0
    this.#dial()
  }

  stop(): void {
    if (!this.#isRunning) return
    this.#isRunning = false
    this.#hangUp()
    this.ears.changed({ name: 'stopped' })
  }

  /** Anew, and at once, as if nothing had been. */
  restart(): void {
    this.#hangUp()
    this.#isRunning = true
    this.#attempt = 0
    this.#dial()
  }

  wake(): void {
    if (!this.#isRunning) return
    if (!this.#socket) this.#dial(true)
    else if (this.#isWelcome) this.#ping(WAKE_DEADLINE)
  }

  send(frames: readonly ClientFrame[]): void {
    for (const frame of frames) this.#socket?.send(JSON.stringify(frame))
  }

  #node(): string {
    return this.urls[this.#turn % this.urls.length] ?? ''
  }

  #dial(isUrgent = false): void {
    this.#cancel()
    // Some systems say that they are offline and are not: after a while we try nevertheless.
    if (!isUrgent && this.world.page?.isOnline() === false) {
      this.#cancel = this.world.after(WAIT_MAX, () => this.#dial(true))
      return this.ears.changed({ name: 'offline' })
    }
    const { WebSocket } = this.world
    if (!WebSocket) return this.#refuse(0, 'there is no WebSocket here: pass one as an option')
    this.ears.changed({ name: 'connecting', node: this.#node() })
    this.ears.dialing?.()
    // Whoever was told may have stopped us, or dialled.
    if (!this.#isRunning || this.#socket) return
    let socket: Socket
    try {
      socket = new WebSocket(this.#node())
    } catch (error) {
      this.ears.closed()
      return this.#refuse(0, error instanceof Error ? error.message : String(error))
    }
    this.#socket = socket
    this.#cancel = this.world.after(WELCOME_DEADLINE, () => this.#lost(NO_ANSWER, 'no welcome'))
    socket.onopen = () => this.ears.opened()
    socket.onmessage = ({ data }) => this.#hear(data)
    socket.onerror = () => {}
    socket.onclose = ({ code, reason }) => this.#lost(code, reason)
  }

  #hear(text: unknown): void {
    this.#heard += 1
    const frame = parseFrame(text)
    if (!frame) return
    if (frame.is === 'welcome') this.#welcomed((frame.ping_seconds ?? 25) * 1000)
    else if (frame.is === 'move') return this.#move(frame.within_seconds * 1000)
    else if (frame.is === 'answer' && frame.id === PING_ID) return
    this.ears.received(frame, (text as string).length)
  }

  #welcomed(pingEvery: number): void {
    this.#cancel()
    this.#isWelcome = true
    this.#welcomeAt = this.world.now()
    this.#pingEvery = pingEvery
    this.#pingLater()
    this.ears.changed({ name: 'live', node: this.#node() })
  }

  // A browser answers the node's pings without telling us, so we ask ourselves whether the node is still there.
  #pingLater(): void {
    this.#cancelPing()
    this.#cancelPing = this.world.after(this.#pingEvery, () => this.#ping(PING_DEADLINE))
  }

  #ping(deadline: number, isSecond = false): void {
    this.#cancelPing()
    const asked = this.world.now()
    const heard = this.#heard
    this.send([{ do: 'ping', id: PING_ID }])
    this.#cancelPing = this.world.after(deadline, () => {
      if (this.#heard > heard) return this.#pingLater()
      // After a sleep the timer can come before the answer that lies in the socket: ask once more.
      const slept = this.world.now() - asked > deadline + SLEEP_MIN
      if (slept && !isSecond) this.#ping(WAKE_DEADLINE, true)
      else this.#lost(NO_ANSWER, 'no answer to a ping')
    })
  }

  #move(within: number): void {
    this.#cancel()
    this.#cancel = this.world.after(this.world.random() * within, () => this.#lost(4000, 'the node is going away'))
  }

  #lost(code: number, reason: string): void {
    const wasSteady = this.#isWelcome && this.world.now() - this.#welcomeAt >= STEADY_AFTER
    this.#hangUp()
    if (!this.#isRunning) return
    if (wasSteady) this.#attempt = 0
    const what: Remedy = remedy(code)
    if (what === 'never') return this.#refuse(code, reason)
    this.#turn += 1
    const milliseconds = wait(this.#attempt, what, this.world.random())
    this.#attempt += 1
    this.#cancel = this.world.after(milliseconds, () => this.#dial())
    this.ears.changed({ name: 'waiting', code, reason })
  }

  #refuse(code: number, reason: string): void {
    this.#isRunning = false
    this.ears.changed({ name: 'refused', code, reason })
  }

  /** Leaves the socket to itself: whatever it still says is not heard. */
  #hangUp(): void {
    this.#cancel()
    this.#cancelPing()
    const socket = this.#socket
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    this.#socket = undefined
    this.#isWelcome = false
    socket.close(1000)
    this.ears.closed()
  }
}
