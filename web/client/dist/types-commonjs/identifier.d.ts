import type { World } from './world.js';
/** Of `A-Za-z0-9_-`. */
export declare function identifier(world: World, length: number): string;
/** Version 4 of RFC 9562. `crypto.randomUUID` is missing on pages without TLS. */
export declare function uuidOf(world: World): string;
