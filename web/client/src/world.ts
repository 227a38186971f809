// What lies outside: time, chance, sockets, the page, other tabs. It is passed in, so that tests have another one.

export interface Socket {
  onopen: ((event: never) => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number, readonly reason: string }) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(code?: number, reason?: string): void
}

export type SocketConstructor = new (url: string) => Socket

export interface Channel {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage(message: unknown): void
  close(): void
}

export interface Locks {
  request(name: string, options: { signal?: AbortSignal, steal?: boolean }, held: () => Promise<void>): Promise<void>
}

/** Something happened to the page. */
export type PageEvent = 'online' | 'offline' | 'visible' | 'hide' | 'show'

export interface Page {
  readonly protocol: string
  readonly host: string
  isOnline(): boolean
  /** Calls `happened` until the function that it returns is called. */
  watch(happened: (event: PageEvent) => void): () => void
}

export interface World {
  now(): number
  random(): number
  randomBytes(count: number): Uint8Array
  after(milliseconds: number, then: () => void): () => void
  readonly WebSocket: SocketConstructor | undefined
  /** Undefined outside of a browser. */
  readonly page: Page | undefined
  /** Both are undefined where tabs cannot share a connection. */
  readonly locks: Locks | undefined
  readonly openChannel: ((name: string) => Channel) | undefined
  readonly storage: Memory
}

/** What outlives the page, if the browser lets us. */
export interface Memory {
  read(name: string): string | null
  /** Whether it is remembered. */
  write(name: string, value: string): boolean
}

interface Surroundings {
  readonly WebSocket?: SocketConstructor
  readonly document?: Document
  readonly navigator?: { readonly locks?: Locks, readonly onLine?: boolean }
  readonly BroadcastChannel?: new (name: string) => Channel
}

/** The world as it is, in a browser or in Node. */
export function surroundings(): World {
  const around = globalThis as unknown as Surroundings
  const isPage = around.document !== undefined
  const { BroadcastChannel: Opened } = around
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    randomBytes: count => crypto.getRandomValues(new Uint8Array(count)),
    after: (milliseconds, then) => {
      const timer = setTimeout(then, milliseconds)
      return () => clearTimeout(timer)
    },
    WebSocket: around.WebSocket,
    page: isPage ? page() : undefined,
    locks: isPage ? around.navigator?.locks : undefined,
    openChannel: isPage && Opened ? name => new Opened(name) : undefined,
    storage: memory(() => isPage ? localStorage : undefined),
  }
}

function page(): Page {
  return {
    protocol: location.protocol,
    host: location.host,
    isOnline: () => navigator.onLine !== false,
    watch: happened => {
      const watched: readonly [EventTarget, string, (event: Event) => void][] = [
        [window, 'online', () => happened('online')],
        [window, 'offline', () => happened('offline')],
        [window, 'pagehide', () => happened('hide')],
        [window, 'pageshow', event => { if ((event as PageTransitionEvent).persisted) happened('show') }],
        [document, 'visibilitychange', () => { if (!document.hidden) happened('visible') }],
      ]
      for (const [target, name, listener] of watched) target.addEventListener(name, listener)
      return () => { for (const [target, name, listener] of watched) target.removeEventListener(name, listener) }
    },
  }
}

/** Of `Storage`, what we need. */
export interface WebStorage {
  getItem(name: string): string | null
  setItem(name: string, value: string): void
}

/** Storage throws where cookies are forbidden, already when it is only named, and when it is full. */
export function memory(storage: () => WebStorage | undefined): Memory {
  return {
    read: name => {
      try {
        return storage()?.getItem(name) ?? null
      } catch {
        return null
      }
    },
    write: (name, value) => {
      try {
        storage()?.setItem(name, value)
        return storage() !== undefined
      } catch {
        return false
      }
    },
  }
}
