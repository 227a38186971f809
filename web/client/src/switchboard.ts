// Many tabs over one connection. Towards each tab it speaks the protocol of the node, so that a tab need not know
// whether it has a connection of its own. It lives as long as one connection: what must outlive that, the tabs know.

import { Channel } from './channel.js'
import { earliest, EVERYONE, LOG, type Arrival, type ClientFrame, type Command, type Hello, type NodeFrame, type PipeWish, type Position, type Welcome } from './frames.js'

type Asked = Command & { readonly id: number }

interface Tab {
  readonly hello: Hello
  readonly pipes: Set<string>
}

interface Request {
  readonly tab: string
  readonly id: number
  /** Instead of passing the answer on. */
  readonly answered?: (frame: NodeFrame) => void
}

export class Switchboard {
  #tabs = new Map<string, Tab>()
  #channels = new Map<string, Channel>()
  #requests = new Map<number, Request>()
  #id = 0
  #welcome: Welcome | undefined
  #isOpen = false
  #taken: Position | undefined

  constructor(
    private readonly credentials: Omit<Hello, 'do' | 'position'>,
    /** To the node. */
    private readonly send: (frames: readonly ClientFrame[]) => void,
    /** To one tab, or to `EVERYONE`. */
    private readonly post: (tab: string, frame: NodeFrame) => void,
    /** A login can be asked for anew only by a new connection. */
    private readonly reconnect: () => void,
  ) {}

  /** Whether the node did not take the key. */
  get isAnonymous(): boolean {
    return this.#welcome?.user === null
  }

  /** The connection is there: everything that has been asked for until now goes out in one frame. */
  opened(): void {
    this.#isOpen = true
    const positions = [...this.#tabs.values()].flatMap(({ hello }) => hello.position ? [hello.position] : [])
    const position = earliest(positions)
    this.send([{ do: 'hello', ...this.credentials, ...position && { position } }])
    this.#ask([...this.#channels.keys()])
  }

  fromTab(tab: string, frames: readonly ClientFrame[]): void {
    for (const frame of frames) {
      if (frame.do === 'hello') this.#hello(tab, frame)
      else if (frame.do === 'taken') this.#take(frame.position)
      else if (frame.do === 'subscribe') this.#subscribe(tab, frame.id, frame.pipes)
      else if (frame.do === 'unsubscribe') this.#unsubscribe(tab, frame.id, frame.pipes)
      else this.#pass(frame, { tab, id: frame.id })
    }
  }

  /** The tab is gone: what only it had subscribed to is given up. */
  left(tab: string): void {
    const pipes = this.#tabs.get(tab)?.pipes ?? []
    this.#leave(tab, [...pipes])
    this.#tabs.delete(tab)
  }

  fromNode(frame: NodeFrame, length: number): void {
    switch (frame.is) {
      case 'welcome': return this.#welcomed(frame)
      case 'message': return this.#message(frame, length)
      case 'gap':
        if (this.#channels.get(frame.pipe)?.gap(frame.position)) this.post(EVERYONE, frame)
        return
      case 'subscribed': return this.#channels.get(frame.pipe)?.subscribed(frame)
      case 'history': case 'answer': case 'error': return this.#answered(frame)
    }
  }

  #hello(tab: string, hello: Hello): void {
    this.left(tab)
    this.#tabs.set(tab, { hello, pipes: new Set() })
    if (this.#welcome) this.#greet(tab, hello, this.#welcome)
  }

  #welcomed(welcome: Welcome): void {
    this.#welcome = welcome
    if (welcome.user !== null) this.#channels.set(LOG, new Channel(LOG, this.post, this.reconnect))
    for (const [tab, { hello }] of this.#tabs) this.#greet(tab, hello, welcome)
  }

  #greet(tab: string, { position }: Hello, welcome: Welcome): void {
    this.post(tab, welcome)
    const log = this.#channels.get(LOG)
    // Who has no position wants what no device has taken.
    const from = position ?? (log?.isLive ? this.#taken : undefined)
    log?.enter({ tab, ...from ? { position: from } : { untaken: true } })
  }

  #take(position: Position): void {
    if (this.#taken && this.#taken[0] === position[0] && this.#taken[1] >= position[1]) return
    this.#taken = position
    this.send([{ do: 'taken', position }])
  }

  #subscribe(tab: string, id: number, wishes: readonly PipeWish[]): void {
    const fresh: string[] = []
    for (const { pipe, position, last } of wishes) {
      this.#tabs.get(tab)?.pipes.add(pipe)
      let channel = this.#channels.get(pipe)
      if (!channel) {
        channel = new Channel(pipe, this.post, again => this.#askAgain(again))
        this.#channels.set(pipe, channel)
        fresh.push(pipe)
      }
      const entry = { tab, id, ...position && { position } }
      if (last && !position && channel.isLive) this.#enterWithHistory(channel, entry, last)
      else channel.enter({ ...entry, ...last && { last } })
    }
    if (this.#isOpen) this.#ask(fresh)
    // What is told about the pipes later carries the id all the same.
    this.post(tab, { is: 'answer', id })
  }

  #enterWithHistory(channel: Channel, entry: { tab: string, id: number }, last: number): void {
    this.#pass({ do: 'history', id: 0, pipe: channel.pipe, last }, {
      ...entry,
      answered: frame => {
        if (frame.is === 'history') channel.past(entry, frame)
        if (frame.is !== 'history' || !frame.more) channel.enter(entry)
      },
    })
  }

  #unsubscribe(tab: string, id: number, pipes: readonly string[]): void {
    this.#leave(tab, pipes)
    this.post(tab, { is: 'answer', id })
  }

  #leave(tab: string, pipes: readonly string[]): void {
    const pipesOfTab = this.#tabs.get(tab)?.pipes
    for (const pipe of pipes) {
      pipesOfTab?.delete(pipe)
      this.#channels.get(pipe)?.leave(tab)
    }
    const wanted = (pipe: string) => [...this.#tabs.values()].some(other => other.pipes.has(pipe))
    const orphans = pipes.filter(pipe => !wanted(pipe) && this.#channels.delete(pipe))
    if (orphans.length && this.#isOpen) this.send([{ do: 'unsubscribe', id: ++this.#id, pipes: orphans }])
  }

  #ask(pipes: readonly string[]): void {
    const channels = pipes.flatMap(pipe => this.#channels.get(pipe) ?? [])
    if (!channels.length) return
    const id = ++this.#id
    for (const channel of channels) channel.asked = id
    this.send([{ do: 'subscribe', id, pipes: channels.map(channel => channel.wish()) }])
    this.#requests.set(id, { tab: EVERYONE, id, answered: frame => this.#asked(id, frame) })
  }

  #askAgain({ pipe }: Channel): void {
    this.send([{ do: 'unsubscribe', id: ++this.#id, pipes: [pipe] }])
    this.#ask([pipe])
  }

  #asked(id: number, frame: NodeFrame): void {
    if (frame.is === 'history') return this.#channels.get(frame.pipe)?.pastOfFirst(frame)
    if (frame.is !== 'error') return
    for (const channel of this.#channels.values()) {
      if (channel.asked !== id || channel.isLive || (frame.pipe !== undefined && frame.pipe !== channel.pipe)) continue
      // Others had it already: they are to say anew how far they have got.
      if (channel.hasAudience) return this.reconnect()
      this.#channels.delete(channel.pipe)
      for (const tab of channel.refused(frame)) this.#tabs.get(tab)?.pipes.delete(channel.pipe)
    }
  }

  #pass(frame: Asked, request: Request): void {
    const id = ++this.#id
    this.#requests.set(id, request)
    this.send([{ ...frame, id }])
  }

  #answered(frame: NodeFrame & { readonly id?: number }): void {
    const { id } = frame
    const request = id === undefined ? undefined : this.#requests.get(id)
    if (id === undefined || !request) return
    const isLast = frame.is === 'answer' || (frame.is === 'history' && !frame.more) || (frame.is === 'error' && frame.pipe === undefined)
    // Of a subscription there may be several errors and pages before the answer.
    if (isLast && !(request.tab === EVERYONE && frame.is === 'history')) this.#requests.delete(id)
    if (request.answered) request.answered(frame)
    else this.post(request.tab, { ...frame, id: request.id } as NodeFrame)
  }

  #message(frame: Arrival, length: number): void {
    if (this.#channels.get(frame.pipe)?.message(frame, length)) this.post(EVERYONE, frame)
  }
}
