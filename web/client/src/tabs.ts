// The tabs of one browser share one connection. Whoever holds a lock is the master and has the connection; the others
// speak through it. A lock is given up by the browser when its tab dies; a master that holds it and is silent loses it.

import { Connection, type ConnectionState, type Ears, type Transport } from './connection.js'
import { EVERYONE, type ClientFrame, type NodeFrame } from './frames.js'
import type { Credentials } from './session.js'
import { Switchboard } from './switchboard.js'
import type { Channel, Locks, World } from './world.js'

type Note =
  /** The master, to all: which connection there is, if any. */
  | { readonly is: 'here', readonly board: string | undefined, readonly state: ConnectionState }
  | { readonly is: 'frame', readonly board: string, readonly to: string, readonly frame: NodeFrame }
  /** A tab, to the master. */
  | { readonly is: 'ask', readonly tab: string, readonly key: string | undefined, readonly isUrgent: boolean }
  | { readonly is: 'frames', readonly tab: string, readonly board: string, readonly frames: readonly ClientFrame[] }
  | { readonly is: 'left', readonly tab: string }

/** Three of these, unanswered, and the master is taken for dead: within two seconds. */
const ASK_EVERY = 600
const UNANSWERED_MAX = 2

export interface TabsOptions {
  /** The same for all tabs that can share: nodes, tenant, user. */
  readonly name: string
  readonly tab: string
  readonly urls: readonly string[]
  readonly first: number
}

export class Tabs implements Transport {
  isMaster: boolean | undefined
  #channel: Channel | undefined
  /** Ends everything that belongs to one `start`. */
  #life: AbortController | undefined
  /** Ends what belongs to the time as master. */
  #term: AbortController | undefined
  #connection: Connection | undefined
  #switchboard: Switchboard | undefined
  #board: string | undefined
  #state: ConnectionState = { name: 'stopped' }
  #cancelAsk = () => {}
  #unanswered = 0
  #guests = new Set<string>()
  #keysTried = new Set<string | undefined>()

  constructor(
    private readonly world: World,
    private readonly locks: Locks,
    private readonly openChannel: (name: string) => Channel,
    private readonly options: TabsOptions,
    private credentials: Credentials,
    private readonly ears: Ears,
  ) {}

  start(): void {
    if (this.#life) return
    const life = this.#life = new AbortController()
    this.#change(this.#connecting())
    // Held as long as this tab lives, so that the master can wait for its end.
    this.#hold(this.#nameOf(this.options.tab), life, () => {
      this.#channel = this.openChannel(this.options.name)
      this.#channel.onmessage = ({ data }) => this.#read(data as Note)
      this.#compete(life)
      this.#ask(life)
    })
  }

  stop(): void {
    if (!this.#life) return
    this.#post({ is: 'left', tab: this.options.tab })
    this.#resign()
    this.#life.abort()
    this.#life = undefined
    this.#cancelAsk()
    this.#channel?.close()
    this.#channel = undefined
    this.#leaveBoard()
    this.isMaster = undefined
    this.#change({ name: 'stopped' })
  }

  wake(): void {
    if (this.#connection) this.#connection.wake()
    else this.#postAsk(true)
  }

  send(frames: readonly ClientFrame[]): void {
    if (!frames.length || !this.#board) return
    if (this.#switchboard) this.#switchboard.fromTab(this.options.tab, frames)
    else this.#post({ is: 'frames', tab: this.options.tab, board: this.#board, frames })
  }

  #connecting(): ConnectionState {
    return { name: 'connecting', node: this.options.urls[this.options.first] ?? '' }
  }

  #nameOf(tab: string): string {
    return `${this.options.name} ${tab}`
  }

  /** Asks for a lock, and holds it until `life` ends or it is stolen. */
  #hold(name: string, life: AbortController, held: () => void, steal = false): Promise<void> {
    const holding = () => new Promise<void>(release => {
      if (life.signal.aborted) return release()
      life.signal.addEventListener('abort', () => release())
      held()
    })
    // A lock that is stolen rejects what holds it; so does the end of our life what waits.
    return this.locks.request(name, steal ? { steal } : { signal: life.signal }, holding).catch(() => {})
  }

  #compete(life: AbortController, steal = false): void {
    const term = new AbortController()
    const end = () => term.abort()
    life.signal.addEventListener('abort', end)
    void this.#hold(this.options.name, term, () => this.#lead(term), steal).then(() => {
      life.signal.removeEventListener('abort', end)
      if (life.signal.aborted || term.signal.aborted) return
      // Somebody took us for dead.
      this.#resign()
      this.#leaveBoard()
      this.#compete(life)
      this.#postAsk(false)
    })
  }

  #lead(term: AbortController): void {
    if (this.isMaster) return term.abort()
    this.#term = term
    this.#leaveBoard()
    this.isMaster = true
    this.#keysTried.add(this.credentials.key)
    this.#connection = new Connection(this.world, this.options.urls, {
      dialing: () => this.#openBoard(),
      opened: () => this.#switchboard?.opened(),
      received: (frame, length) => this.#switchboard?.fromNode(frame, length),
      closed: () => {
        this.#switchboard = undefined
        this.#leaveBoard()
        this.#announce()
      },
      changed: state => {
        this.#change(state)
        this.#announce()
      },
    }, this.options.first)
    this.#connection.start()
  }

  #openBoard(): void {
    const { uuid, user, key } = this.credentials
    const credentials = user !== undefined && key !== undefined ? { uuid, user, key } : { uuid }
    const board = this.#board = `${this.options.tab} ${this.world.random()}`
    this.#switchboard = new Switchboard(credentials, frames => this.#connection?.send(frames), (to, frame) => {
      if (to !== this.options.tab) this.#post({ is: 'frame', board, to, frame })
      if (to === this.options.tab || to === EVERYONE) this.ears.received(frame, 0)
    }, () => this.#connection?.restart())
    this.#announce()
    this.ears.opened()
  }

  #resign(): void {
    const connection = this.#connection
    if (!connection) return
    this.#term?.abort()
    connection.stop()
    this.#connection = this.#switchboard = undefined
    this.isMaster = false
    this.#guests.clear()
  }

  #leaveBoard(): void {
    if (!this.#board) return
    this.#board = undefined
    this.ears.closed()
  }

  #change(state: ConnectionState): void {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return
    this.#state = state
    this.ears.changed(state)
  }

  #post(note: Note): void {
    this.#channel?.postMessage(note)
  }

  #announce(): void {
    this.#post({ is: 'here', board: this.#board, state: this.#state })
  }

  #postAsk(isUrgent: boolean): void {
    this.#post({ is: 'ask', tab: this.options.tab, key: this.credentials.key, isUrgent })
  }

  // A master that is frozen or hangs still holds its lock. It is counted in questions, not in time: our own timers may
  // have been asleep.
  #ask(life: AbortController): void {
    if (life.signal.aborted) return
    if (!this.#connection) {
      if (this.#unanswered >= UNANSWERED_MAX) {
        this.#unanswered = 0
        this.#compete(life, true)
      } else {
        this.#unanswered += 1
        this.#postAsk(false)
      }
    }
    this.#cancelAsk = this.world.after(ASK_EVERY, () => this.#ask(life))
  }

  #read(note: Note): void {
    if (this.#connection) this.#readAsMaster(note)
    else if (note.is === 'here') this.#hear(note.board, note.state)
    else if (note.is === 'frame' && note.board === this.#board && (note.to === this.options.tab || note.to === EVERYONE)) {
      this.ears.received(note.frame, 0)
    }
  }

  #hear(board: string | undefined, state: ConnectionState): void {
    this.isMaster = false
    this.#unanswered = 0
    // A master that stops hands over to one of us.
    this.#change(state.name === 'stopped' ? this.#connecting() : state)
    if (board === this.#board) return
    this.#leaveBoard()
    this.#board = board
    if (board) this.ears.opened()
  }

  #readAsMaster(note: Note): void {
    if (note.is === 'ask') {
      this.#announce()
      if (note.isUrgent) this.#connection?.wake()
      this.#tryKey(note.key)
    } else if (note.is === 'frames' && note.board === this.#board) {
      this.#awaitEnd(note.tab)
      this.#switchboard?.fromTab(note.tab, note.frames)
    } else if (note.is === 'left') {
      this.#switchboard?.left(note.tab)
    }
  }

  /** A tab that dies says nothing; its lock does. */
  #awaitEnd(tab: string): void {
    if (this.#guests.has(tab) || !this.#term) return
    this.#guests.add(tab)
    const { signal } = this.#term
    const gone = () => {
      this.#guests.delete(tab)
      this.#switchboard?.left(tab)
      return Promise.resolve()
    }
    this.locks.request(this.#nameOf(tab), { signal }, gone).catch(() => {})
  }

  /** Another tab has logged in anew, while we are refused with what we have. */
  #tryKey(key: string | undefined): void {
    const isRefused = this.#state.name === 'refused' || this.#switchboard?.isAnonymous
    if (key === undefined || this.#keysTried.has(key) || !isRefused) return
    this.#keysTried.add(key)
    this.credentials = { ...this.credentials, key }
    this.#connection?.restart()
  }
}
