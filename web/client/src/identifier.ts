// Names that nobody else has.

import type { World } from './world.js'

/** Of `A-Za-z0-9_-`. */
export function identifier(world: World, length: number): string {
  return btoa(String.fromCharCode(...world.randomBytes(length))).slice(0, length).replace(/\W/g, letter => letter === '+' ? '-' : '_')
}

/** Version 4 of RFC 9562. `crypto.randomUUID` is missing on pages without TLS. */
export function uuidOf(world: World): string {
  const bytes = world.randomBytes(16)
  bytes[6] = (bytes[6] ?? 0) & 0x0f | 0x40
  bytes[8] = (bytes[8] ?? 0) & 0x3f | 0x80
  const digits = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
