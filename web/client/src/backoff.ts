// How long to wait before the next attempt, and whether there is to be one.

/** What a close code asks of us: docs/PROTOCOL.md, "How it ends". */
export type Remedy = 'at_once' | 'later' | 'never'

const BROKEN_RULES = new Set([1002, 1003, 1007, 1008, 1009])

export function remedy(code: number): Remedy {
  if (code >= 4000 && code < 4100) return 'at_once'
  if (code >= 4200 && code < 4300) return 'never'
  return BROKEN_RULES.has(code) ? 'never' : 'later'
}

export const WAIT_MAX = 30_000
const FIRST_WAIT = { at_once: 100, later: 1_000 }

/** Full jitter: anything up to a bound that doubles, so that those who were cut off together do not come back together. */
export function wait(attempt: number, remedy: 'at_once' | 'later', random: number): number {
  return Math.floor(random * Math.min(WAIT_MAX, FIRST_WAIT[remedy] * 2 ** attempt))
}
