// Names that nobody else has.

import type { World } from './world.js'

/** Of `A-Za-z0-9_-`. */
export function identifier(world: World, length: number): string {
  return btoa(String.fromCharCode(...world.randomBytes(length))).slice(0, length).replace(/\W/g, letter => letter === '+' ? '-' : '_')
}

/** Version 4 of RFC 9562. `crypto.randomUUID` is missing on pages without TLS. */
export function uuidOf(world: World): string {
  const marked = (byte: number, at: number) => at === 6 ? byte & 0x0f | 0x40 : at === 8 ? byte & 0x3f | 0x80 : byte
  const digits = Array.from(world.randomBytes(16), (byte, at) => marked(byte, at).toString(16).padStart(2, '0')).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
