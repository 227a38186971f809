import { type Ears, type Transport } from './connection.js';
import { type ClientFrame } from './frames.js';
import type { Credentials } from './session.js';
import type { Channel, Locks, World } from './world.js';
export interface TabsOptions {
    /** The same for all tabs that can share: nodes, tenant, user. */
    readonly name: string;
    readonly tab: string;
    readonly urls: readonly string[];
    readonly first: number;
}
export declare class Tabs implements Transport {
    #private;
    private readonly world;
    private readonly locks;
    private readonly openChannel;
    private readonly options;
    private credentials;
    private readonly ears;
    isMaster: boolean | undefined;
    constructor(world: World, locks: Locks, openChannel: (name: string) => Channel, options: TabsOptions, credentials: Credentials, ears: Ears);
    start(): void;
    stop(): void;
    wake(): void;
    send(frames: readonly ClientFrame[]): void;
}
