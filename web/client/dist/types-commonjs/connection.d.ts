import { type ClientFrame, type NodeFrame } from './frames.js';
import type { World } from './world.js';
export type ConnectionState = {
    readonly name: 'stopped';
} | {
    readonly name: 'connecting';
    readonly node: string;
} | {
    readonly name: 'live';
    readonly node: string;
} | {
    readonly name: 'waiting';
    readonly code: number;
    readonly reason: string;
} | {
    readonly name: 'offline';
} | {
    readonly name: 'refused';
    readonly code: number;
    readonly reason: string;
};
/** Who is told what becomes of a connection. */
export interface Ears {
    /** An attempt begins; `opened` or `closed` follows. */
    dialing?(): void;
    /** Frames can be sent. */
    opened(): void;
    /** `length` is that of the text the frame came in. */
    received(frame: NodeFrame, length: number): void;
    closed(): void;
    changed(state: ConnectionState): void;
}
/** A connection, or what is as good as one. */
export interface Transport {
    start(): void;
    stop(): void;
    /** The world may have changed: try at once, and see whether the other side is still there. */
    wake(): void;
    send(frames: readonly ClientFrame[]): void;
    /** Whether this page holds the connection; undefined until that is known. */
    readonly isMaster: boolean | undefined;
}
export declare class Connection implements Transport {
    #private;
    private readonly world;
    private readonly urls;
    private readonly ears;
    readonly isMaster = true;
    constructor(world: World, urls: readonly string[], ears: Ears, first?: number);
    start(): void;
    stop(): void;
    /** Anew, and at once, as if nothing had been. */
    restart(): void;
    wake(): void;
    send(frames: readonly ClientFrame[]): void;
}
