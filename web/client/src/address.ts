// Where a node is: what a program writes, and the URL that is dialled.

import { CometError } from './errors.js'

export interface AddressOptions {
  /** The tenant, 0 without it. */
  readonly tenant: number
  /** For nodes that do not say: `wss` if true, otherwise `ws`. */
  readonly secure: boolean
}

const NODE = /^(?:(wss?|https?):)?(?:\/\/)?([^/?#\s]+)(\/[^?#\s]*)?$/i

/** From `host`, `host:port`, `host/mount` or a whole `ws(s)://` URL. */
export function nodeUrl(node: string, { tenant, secure }: AddressOptions): string {
  const parts = NODE.exec(node.trim())
  if (!parts) throw new CometError('invalid', `not the address of a node: ${JSON.stringify(node)}`)
  const [, scheme, host, mount = ''] = parts
  const isSecure = scheme ? /^(wss|https)$/i.test(scheme) : secure
  return `${isSecure ? 'wss' : 'ws'}://${host}${mount.replace(/\/+$/, '')}/ws/v=5&devid=${tenant}`
}
