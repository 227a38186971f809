// A network of nodes and a browser with tabs: sockets, locks and channels in memory, on one clock.

import { memory, type Channel, type Locks, type Page, type PageEvent, type Socket, type World } from '../../src/world.js'
import { chance, Clock } from './clock.js'
import { FakeNode, Visitor } from './node.js'

export class Network {
  readonly nodes = new Map<string, FakeNode>()
  /** The URLs that were dialled. */
  readonly dialled: string[] = []
  isCut = false

  constructor(readonly clock: Clock, readonly delay: () => number = () => 5) {}

  node(host: string, node = new FakeNode()): FakeNode {
    this.nodes.set(host, node)
    return node
  }
}

/** One of ours on a way where nothing overtakes. */
class Way {
  #free = 0

  constructor(private readonly network: Network) {}

  carry(then: () => void): void {
    const { clock, delay } = this.network
    this.#free = Math.max(this.#free, clock.now + delay())
    clock.after(this.#free - clock.now, then)
  }
}

export class FakeSocket implements Socket {
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number, reason: string }) => void) | null = null
  onerror: ((event: never) => void) | null = null
  #visitor: Visitor | undefined
  #isClosed = false
  #isOpen = false
  #up: Way
  #down: Way

  constructor(network: Network, url: string, private readonly tab: Tab) {
    network.dialled.push(url)
    tab.sockets.add(this)
    this.#up = new Way(network)
    this.#down = new Way(network)
    this.#up.carry(() => {
      const node = network.nodes.get(new URL(url).host)
      if (this.#isClosed || !node || network.isCut || node.isDown) return this.fail(1006, '')
      this.#visitor = new Visitor(node, {
        send: text => this.#down.carry(() => this.#arrive(text)),
        close: (code, reason) => this.#down.carry(() => this.fail(code, reason)),
      })
      this.#down.carry(() => {
        if (this.#isClosed) return
        this.#isOpen = true
        this.tab.whenAwake(() => this.onopen?.(undefined as never))
      })
    })
  }

  send(text: string): void {
    if (!this.#isOpen && !this.#isClosed) throw new Error('InvalidStateError: still connecting')
    if (!this.#isClosed) this.#up.carry(() => { if (this.#visitor && this.#visitor.node.visitors.has(this.#visitor)) this.#visitor.hear(text) })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#up.carry(() => this.#visitor?.gone())
  }

  fail(code: number, reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#visitor?.gone()
    this.tab.whenAwake(() => this.onclose?.({ code, reason }))
  }

  #arrive(data: string): void {
    if (!this.#isClosed) this.tab.whenAwake(() => this.onmessage?.({ data }))
  }
}

interface Holder {
  readonly tab: Tab
  readonly granted: () => Promise<void>
  readonly fail: (error: Error) => void
  readonly done: () => void
}

/** What the tabs of one browser share. */
export class Browser {
  readonly channels = new Set<FakeChannel>()
  readonly storage = new Map<string, string>()
  tabs = 0
  #held = new Map<string, Holder>()
  #queues = new Map<string, Holder[]>()

  constructor(readonly network: Network, readonly seed = 1) {}

  request(tab: Tab, name: string, options: { signal?: AbortSignal, steal?: boolean }, granted: () => Promise<void>): Promise<void> {
    return new Promise((done, fail) => {
      const holder = { tab, granted, fail, done }
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      options.signal?.addEventListener('abort', () => {
        const at = queue.indexOf(holder)
        if (at >= 0) queue.splice(at, 1)
        if (at >= 0) fail(new Error('AbortError'))
      })
      if (options.steal) {
        this.#held.get(name)?.fail(new Error('AbortError: stolen'))
        this.#held.delete(name)
        queue.unshift(holder)
      } else {
        queue.push(holder)
      }
      this.#grant(name)
    })
  }

  #grant(name: string): void {
    queueMicrotask(() => {
      const queue = this.#queues.get(name) ?? []
      if (this.#held.has(name)) return
      const next = queue.shift()
      if (!next) return
      this.#held.set(name, next)
      void next.granted().then(() => {
        next.done()
        this.#release(name, next)
      })
    })
  }

  #release(name: string, holder: Holder): void {
    if (this.#held.get(name) !== holder) return
    this.#held.delete(name)
    this.#grant(name)
  }

  /** The locks of a tab that has died. */
  died(tab: Tab): void {
    for (const [name, queue] of this.#queues) this.#queues.set(name, queue.filter(holder => holder.tab !== tab))
    for (const [name, holder] of [...this.#held]) if (holder.tab === tab) this.#release(name, holder)
  }
}

class FakeChannel implements Channel {
  onmessage: ((event: { data: unknown }) => void) | null = null

  constructor(private readonly tab: Tab, private readonly name: string) {
    tab.browser.channels.add(this)
  }

  postMessage(message: unknown): void {
    const { browser } = this.tab
    if (this.tab.isDead) return
    const copy = structuredClone(message)
    for (const other of browser.channels) {
      if (other === this || other.name !== this.name) continue
      browser.network.clock.after(1, () => other.#arrive(copy))
    }
  }

  close(): void {
    this.tab.browser.channels.delete(this)
  }

  #arrive(data: unknown): void {
    const { tab } = this
    if (!tab.browser.channels.has(this)) return
    tab.whenAwake(() => this.onmessage?.({ data: structuredClone(data) }))
  }
}

export class Tab {
  readonly sockets = new Set<FakeSocket>()
  readonly world: World
  isDead = false
  isOnline = true
  #frozen: (() => void)[] | undefined
  #watchers = new Set<(event: PageEvent) => void>()

  constructor(readonly browser: Browser, { sharing = true, host = 'page.example', protocol = 'http:', isPage = true } = {}) {
    const { network, storage, seed } = browser
    const { clock } = network
    const random = chance(seed * 1_000 + (browser.tabs += 1))
    const tab = this
    const locks: Locks = { request: (name, options, held) => browser.request(tab, name, options, held) }
    const page: Page = {
      protocol, host, isOnline: () => this.isOnline,
      watch: happened => {
        this.#watchers.add(happened)
        return () => { this.#watchers.delete(happened) }
      },
    }
    this.world = {
      now: () => clock.now,
      random,
      randomBytes: count => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
      after: (milliseconds, then) => {
        let isWanted = true
        const cancel = clock.after(milliseconds, () => this.whenAwake(() => { if (isWanted) then() }))
        return () => {
          isWanted = false
          cancel()
        }
      },
      WebSocket: class extends FakeSocket {
        constructor(url: string) { super(network, url, tab) }
      },
      page: isPage ? page : undefined,
      locks: sharing ? locks : undefined,
      openChannel: sharing ? name => new FakeChannel(this, name) : undefined,
      storage: memory(() => ({
        getItem: key => storage.get(key) ?? null,
        setItem: (key, value) => { storage.set(key, value) },
      })),
    }
  }

  happens(event: PageEvent): void {
    for (const watcher of [...this.#watchers]) watcher(event)
  }

  goOffline(): void {
    this.isOnline = false
    this.happens('offline')
  }

  goOnline(): void {
    this.isOnline = true
    this.happens('online')
  }

  /** As when its process is killed: no event, no word. */
  die(): void {
    this.isDead = true
    for (const socket of this.sockets) socket.close()
    for (const channel of [...this.browser.channels]) if (channel['tab'] === this) channel.close()
    this.browser.died(this)
  }

  /** It does nothing, and keeps what it has. */
  freeze(): void {
    this.#frozen ??= []
  }

  thaw(): void {
    const late = this.#frozen ?? []
    this.#frozen = undefined
    for (const then of late) then()
  }

  whenAwake(then: () => void): void {
    if (this.isDead) return
    if (this.#frozen) this.#frozen.push(then)
    else then()
  }
}

/** One node, one browser, one tab: what most tests need. */
export function alone(options: ConstructorParameters<typeof Tab>[1] = { sharing: false }): { clock: Clock, network: Network, node: FakeNode, browser: Browser, tab: Tab } {
  const clock = new Clock()
  const network = new Network(clock)
  const node = network.node('node.example')
  const browser = new Browser(network)
  return { clock, network, node, browser, tab: new Tab(browser, options) }
}
