// The frames of generation 5, as docs/PROTOCOL.md has them. Everything else speaks of these types.

/** `[epoch, index]`: where a message stands in its pipe. */
export type Position = readonly [epoch: number, index: number]

/** A message as the node sends it, alone or in a history. */
export interface NodeMessage {
  readonly event: string
  readonly data: unknown
  readonly position: Position
  readonly uuid?: string
  readonly time?: number
  readonly user?: number
}

export interface Hello {
  readonly do: 'hello'
  readonly uuid?: string
  readonly user?: number
  readonly key?: string
  readonly position?: Position
}

export interface PipeWish {
  readonly pipe: string
  readonly position?: Position
  readonly last?: number
}

/** A command that is answered. */
export type Command =
  | { readonly do: 'subscribe', readonly pipes: readonly PipeWish[] }
  | { readonly do: 'unsubscribe', readonly pipes: readonly string[] }
  | {
    readonly do: 'publish', readonly pipe: string, readonly event?: string, readonly data: unknown
    readonly uuid: string, readonly anonymous?: boolean
  }
  | { readonly do: 'history', readonly pipe: string, readonly last?: number }
  | { readonly do: 'count', readonly pipe: string }
  | { readonly do: 'users', readonly pipe: string }
  | { readonly do: 'user_data', readonly user: number }
  | { readonly do: 'seen', readonly user: number }
  | { readonly do: 'ping' }

export type ClientFrame = Hello | { readonly do: 'taken', readonly position: Position } | (Command & { readonly id: number })

export interface Welcome {
  readonly is: 'welcome'
  readonly user: number | null
  readonly server?: string
  readonly ping_seconds?: number
  readonly message_bytes_max?: number
  readonly subscriptions_max?: number
}

export interface Subscribed {
  readonly is: 'subscribed'
  readonly id?: number
  readonly pipe: string
  readonly position?: Position
  readonly recovered?: boolean
}

export interface Arrival extends NodeMessage {
  readonly is: 'message'
  readonly pipe: string
}

export interface HistoryPage {
  readonly is: 'history'
  readonly id: number
  readonly pipe: string
  readonly messages: readonly NodeMessage[]
  readonly more: boolean
}

export interface Gap {
  readonly is: 'gap'
  readonly pipe: string
  readonly position: Position
}

export interface Answer {
  readonly is: 'answer'
  readonly id: number
  readonly [key: string]: unknown
}

export interface Refusal {
  readonly is: 'error'
  readonly id?: number
  readonly code: number
  readonly text: string
  readonly pipe?: string
}

export interface Move {
  readonly is: 'move'
  readonly within_seconds: number
}

export type NodeFrame = Welcome | Subscribed | Arrival | HistoryPage | Gap | Answer | Refusal | Move

/** The pipe under whose name the user's own log arrives. It is never subscribed to: who logs in has it. */
export const LOG = 'msg'

/** Among tabs: to all of them, what nobody needs alone. */
export const EVERYONE = ''

/** What a text frame says, or nothing if it is not one of ours: what a client does not know it ignores. */
export function parseFrame(text: unknown): NodeFrame | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const frame: unknown = JSON.parse(text)
    if (typeof frame === 'object' && frame !== null && 'is' in frame) return frame as NodeFrame
  } catch {
    // Not JSON: ignored like an `is` we do not know.
  }
  return undefined
}

/** Whether what stands at `position` has been reached by a reader who is at `reader`. */
export function isReached(position: Position, reader: Position): boolean {
  return position[0] === reader[0] && position[1] <= reader[1]
}

export function isSame(one: Position, other: Position | undefined): boolean {
  return one[0] === other?.[0] && one[1] === other[1]
}

/** Of several readers, the one who has most to catch up on; of different epochs nobody knows. */
export function earliest(positions: readonly Position[]): Position | undefined {
  return positions.reduce<Position | undefined>(
    (first, position) => first && (first[0] !== position[0] || first[1] <= position[1]) ? first : position, undefined)
}
