// One pipe, followed through any number of connections: a pure reducer of the frames about it. It decides what is
// handed over, what was there already, and when a gap has to be declared.

import { isReached, type Arrival, type Gap, type HistoryPage, type NodeMessage, type PipeWish, type Position, type Subscribed } from './frames.js'

export interface Following {
  /** The `subscribe` that asked for it in this connection. */
  readonly asked?: number
  /** Whether that has been answered: what arrives before belongs to an earlier subscription. */
  readonly live: boolean
  /** The last message that was handed over, or where the pipe stood when we came. */
  readonly position?: Position
  /** How many messages of the past are wanted, as long as we have no position. */
  readonly last?: number
}

export type PipeFrame = Subscribed | Arrival | HistoryPage | Gap

export type PipeNews =
  | { readonly kind: 'message', readonly pipe: string, readonly message: NodeMessage, readonly history: boolean }
  | { readonly kind: 'gap', readonly pipe: string, readonly from: Position | undefined, readonly to: Position }
  | {
    readonly kind: 'subscribed', readonly pipe: string
    readonly position: Position | undefined, readonly recovered: boolean | undefined
  }

type Step = readonly [Following, readonly PipeNews[]]

export function follow(pipe: Following, frame: PipeFrame): Step {
  switch (frame.is) {
    case 'subscribed': return subscribed(pipe, frame)
    case 'history': return history(pipe, frame)
    case 'gap': return pipe.live ? gap(pipe, frame.pipe, frame.position) : [pipe, []]
    case 'message': return pipe.live ? message(pipe, frame) : [pipe, []]
  }
}

/** What to ask for: what was missed, or the past that is wanted, or only what is to come. */
export function wish(name: string, { position, last }: Following): PipeWish {
  if (position) return { pipe: name, position }
  return last ? { pipe: name, last } : { pipe: name }
}

/** The connection is gone; the position stays. */
export function parted({ position, last }: Following): Following {
  return { live: false, ...position && { position }, ...last && { last } }
}

function subscribed(pipe: Following, frame: Subscribed): Step {
  if (pipe.asked !== frame.id) return [pipe, []]
  const lost = pipe.position && frame.position && frame.recovered === false
  const [next, news] = lost ? gap(pipe, frame.pipe, frame.position) : [pipe, []]
  const position = pipe.position && frame.recovered ? pipe.position : frame.position ?? pipe.position
  const { pipe: name, recovered } = frame
  return [{ ...next, live: true, ...position && { position } }, [...news, { kind: 'subscribed', pipe: name, position, recovered }]]
}

function gap(pipe: Following, name: string, to: Position): Step {
  return [{ ...pipe, position: to }, [{ kind: 'gap', pipe: name, from: pipe.position, to }]]
}

function message(pipe: Following, frame: Arrival): Step {
  const { position, pipe: name } = frame
  if (pipe.position && isReached(position, pipe.position)) return [pipe, []]
  // Another epoch without a word about it: nobody can vouch for what came between. A hole in the same epoch is what a
  // backend has deleted.
  const from = pipe.position
  const unsaid = from && from[0] !== position[0]
  const news: PipeNews[] = unsaid ? [{ kind: 'gap', pipe: name, from, to: [position[0], position[1] - 1] }] : []
  return [{ ...pipe, position }, [...news, { kind: 'message', pipe: name, message: frame, history: false }]]
}

// The past comes before `subscribed`. Each message moves the position, so that who is cut off in the middle goes on there.
function history(pipe: Following, frame: HistoryPage): Step {
  if (pipe.asked !== frame.id || pipe.live) return [pipe, []]
  let position = pipe.position
  const news: PipeNews[] = []
  for (const message of frame.messages) {
    if (position && isReached(message.position, position)) continue
    position = message.position
    news.push({ kind: 'message', pipe: frame.pipe, message, history: true })
  }
  return [{ ...pipe, ...position && { position } }, news]
}
