// What the names mean that are given to `subscription`.

export type Place =
  /** What arrives in a pipe, all of it or one event. */
  | { readonly kind: 'pipe', readonly name: string, readonly pipe: string, readonly event: string | undefined }
  /** What became of what this page has published to a pipe. */
  | { readonly kind: 'report', readonly name: string, readonly pipe: string }
  /** What goes wrong. */
  | { readonly kind: 'sys', readonly name: string }
  | { readonly kind: 'everything', readonly name: string }

const PIPE = /^([\w-]{2,64})(?:\.([\w-]{0,64}))?$/
const REPORT = /^(?:#|_answer_to_)([\w-]{2,64})$/

/** Names stand in a list, or one a line; nothing if one of them is no name. */
export function pipesOf(names: string | readonly string[] | undefined): Place[] | undefined {
  const list = typeof names === 'string' ? names.split('\n') : names
  const places = list?.map(name => placeOf(name.trim()))
  return places?.every(place => place !== undefined) ? places : undefined
}

function placeOf(name: string): Place | undefined {
  if (name === '') return { kind: 'everything', name }
  if (/^sys(\.error)?$/.test(name)) return { kind: 'sys', name }
  const [, report] = REPORT.exec(name) ?? []
  if (report !== undefined) return { kind: 'report', name: `_answer_to_${report}`, pipe: report }
  const [, pipe, event] = PIPE.exec(name) ?? []
  return pipe === undefined ? undefined : { kind: 'pipe', name, pipe, event }
}
