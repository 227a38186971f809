import { type ConnectionState } from './connection.js';
import { CometError } from './errors.js';
import { type Position } from './frames.js';
import { type Off } from './listeners.js';
import { Subscription, type Gap, type Message, type SubscribeOptions } from './subscription.js';
import { type SocketConstructor, type World } from './world.js';
export interface Options {
    /** `host`, `host:port`, either with a mount path, or a `ws(s)://` URL; several for failover. The page's own host without it. */
    readonly node?: string | readonly string[];
    /** The tenant: 0 without it. */
    readonly dev_id?: number | string;
    readonly user_id?: number | string;
    /** The hash or the token that proves who the user is. */
    readonly user_key?: string;
    /** What this client calls itself towards others; otherwise one is made up and remembered. */
    readonly uuid?: string;
    /** `ws` or `wss`, for nodes that do not say; as the page itself was loaded without it. */
    readonly protocol?: string;
    /** Which node of several comes first. */
    readonly first_node?: number;
    /** False: a connection of its own for each tab. */
    readonly tabs?: boolean;
    /** How long a command may be unanswered, in milliseconds: 60,000, and five minutes at most. */
    readonly timeout?: number;
    /** Where there is none, as in Node before 22. */
    readonly WebSocket?: SocketConstructor;
}
export interface PublishOptions {
    readonly event?: string;
    /** Hides the user. */
    readonly anonymous?: boolean;
    /** Who publishes twice with the same one publishes once. */
    readonly uuid?: string;
    readonly signal?: AbortSignal;
}
export interface Published {
    readonly position: Position;
    /** Connections that were subscribed when the message was numbered, without this one. */
    readonly receivers: number;
    readonly uuid: string;
}
export interface PipeUser {
    readonly user: number | null;
    readonly uuid: string;
}
export interface Seen {
    readonly status: 'online' | 'offline' | 'unknown';
    /** When the user went away; beside `offline` only. */
    readonly seenAt: Date | undefined;
}
export interface CometEvents {
    state: ConnectionState;
    /** The node has said who we are: null for nobody in particular. */
    welcome: number | null;
    /** Every message of every pipe. */
    message: Message;
    gap: Gap;
    /** A pipe was refused. */
    error: {
        readonly pipe: string;
        readonly error: CometError;
    };
    frame: {
        readonly direction: 'in' | 'out';
        readonly frame: object;
    };
}
interface CommandOptions {
    readonly signal?: AbortSignal;
}
export declare class Comet {
    #private;
    constructor(options?: Options, world?: World);
    get state(): ConnectionState;
    /** Who the node says we are: null for nobody in particular, undefined before it has said. */
    get user(): number | null | undefined;
    get uuid(): string;
    /** Of this page, as long as it lives. */
    get tab(): string;
    /** What would be dialled. */
    get urls(): readonly string[];
    get options(): Options;
    /** Whether this tab holds the connection; undefined before that is known. */
    get isMaster(): boolean | undefined;
    /** Connects. Once it has, it changes what is given and reconnects if that makes a difference. */
    start(options?: Options): void;
    /** Connects anew, whatever there is. */
    restart(options?: Options): void;
    /** Disconnects. Subscriptions stay for the next `start`; what is unanswered fails. */
    stop(): void;
    on<Name extends keyof CometEvents>(name: Name, listener: (event: CometEvents[Name]) => void, { signal }?: CommandOptions): Off;
    subscribe<Data = unknown>(pipe: string, options?: SubscribeOptions<Data>): Subscription<Data>;
    publish(pipe: string, data: unknown, { event, anonymous, uuid, signal }?: PublishOptions): Promise<Published>;
    /** What the pipe keeps, oldest first. */
    history<Data = unknown>(pipe: string, { last, signal }?: {
        last?: number;
        signal?: AbortSignal;
    }): Promise<Message<Data>[]>;
    /** How many are subscribed to a pipe `web_*` or `track_*`. */
    count(pipe: string, { signal }?: CommandOptions): Promise<number>;
    /** Who is subscribed to a pipe `track_*`. */
    users(pipe: string, { signal }?: CommandOptions): Promise<PipeUser[]>;
    /** The text that a backend has stored about a user. */
    userData(user: number, { signal }?: CommandOptions): Promise<string>;
    seen(user: number, { signal }?: CommandOptions): Promise<Seen>;
}
/** A client that has begun to connect. */
export declare function connect(options?: Options): Comet;
export {};
