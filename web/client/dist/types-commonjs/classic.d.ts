import { Comet, type Options } from './comet.js';
import type { Position } from './frames.js';
import { stripslashes } from './text.js';
import { type World } from './world.js';
export interface ServerInfo {
    readonly event: string;
    readonly pipe: string;
    /** From what the pipe keeps, not as it was published. */
    readonly history: boolean;
    /** Of the call that asked for it. */
    readonly marker: string | undefined;
    /** The user who published it, from a browser; 0 if nobody says. */
    readonly user_id: number;
    readonly uuid: string | undefined;
    readonly position: Position | undefined;
}
export interface ClassicMessage<Data = any> {
    readonly data: Data;
    readonly server_info: ServerInfo;
}
export type ClassicCallback<Data = any> = (message: ClassicMessage<Data>) => void;
export interface ClassicOptions extends Options {
    readonly nodes?: readonly string[];
    readonly nodeArray?: readonly string[];
    readonly wss?: boolean;
    /** Which of several nodes comes first depends on the user. */
    readonly roundrobin?: boolean;
    /** There are no statistics. */
    readonly nostat?: boolean;
}
export interface PipeCount {
    readonly user_in_pipe: number;
    readonly 0: 'user_in_pipe';
    readonly 1: number;
}
export declare class CometServerApi {
    #private;
    readonly Base64: {
        encode(text: string): string;
        decode(text: string): string;
    };
    readonly stripslashes: typeof stripslashes;
    constructor(options?: ClassicOptions, world?: World);
    get options(): ClassicOptions;
    /** The client of the other face, over the same connection. */
    get client(): Comet;
    /** Connects; `callback` is called once, when that has been done. */
    start(options?: ClassicOptions, callback?: () => void): true;
    /** Connects anew, with what is given changed. */
    restart(options?: ClassicOptions, callback?: () => void): true;
    stop(): true;
    /** Answers with an id for `unsubscription`, with a list of them for a list of names, and false for what is no name. */
    subscription(callback: ClassicCallback): string;
    subscription(name: string, callback?: ClassicCallback): string | string[] | false;
    subscription(names: readonly string[], callback?: ClassicCallback): string[] | false;
    Subscription(callback: ClassicCallback): string;
    Subscription(name: string, callback?: ClassicCallback): string | string[] | false;
    Subscription(names: readonly string[], callback?: ClassicCallback): string[] | false;
    /** True if there was such a subscription. */
    unsubscription(id?: string | readonly string[] | false): boolean;
    unsubscriptionAll(): true;
    /** `(pipe, event, message)`, `(pipe, message)` or `("pipe.event", message)`. True if it is on its way, false if it waits. */
    web_pipe_send(pipe: string, event: string, message: unknown): boolean | undefined;
    web_pipe_send(pipe: string, message: unknown): boolean | undefined;
    /** Once is enough: what is not answered is repeated, and told apart from a second message. */
    multi_web_pipe_send(pipe: string, event: string, message: unknown, _count?: number, _interval?: number): boolean | undefined;
    /** What the pipe keeps goes to `callback`, or to everyone who has subscribed to the pipe. */
    get_pipe_log(pipe: string, callback?: ClassicCallback): boolean | undefined;
    /** `data.user_in_pipe` says how many have subscribed to a pipe `web_*` or `track_*`. */
    count_users_in_pipe(pipe: string, callback?: ClassicCallback<PipeCount>): boolean | undefined;
    count_user_in_pipe(pipe: string, callback?: ClassicCallback<PipeCount>): boolean | undefined;
    /** Who has subscribed to a pipe `track_*`. */
    getTrackPipeUsers(pipe: string, callback?: ClassicCallback<{
        user_id: number;
        uuid: string;
    }[]>): boolean | undefined;
    getUserData(user: number | string, callback?: ClassicCallback<{
        user_data: string;
        user_id: number;
    }>): boolean | undefined;
    onAuthSuccess(callback: () => void): void;
    /** The name by which programs know it; `onAuthFail` is the same. */
    onAuthFalill(callback: () => void): void;
    onAuthFail(callback: () => void): void;
    /** Undefined before the node has said. */
    isAuthorized(): boolean | undefined;
    /** Whether this tab holds the connection; undefined before that is known. */
    isMaster(): boolean | undefined;
    isConnected(): boolean;
    getUserId(): number | string | undefined;
    getUserKey(): string | undefined;
    getDevId(): number | string;
    getUUID(): string;
    getTabUUID(): string;
    /** The key that was last accepted, or the one that was set. */
    getRealUserKey(): string | undefined;
    setRealUserKey(key: string): true;
    /** Ten digits, another ten each time. */
    getCustomString(): string;
    /** 0 errors, 1 the connection, 2 frames that come in, 3 frames that go out, too. Remembered. */
    setLogLevel(level: number): void;
    getLogLevel(): number;
    /** Whether to use TLS; without an argument, as the page does. */
    UseWss(isUsed?: boolean): boolean;
    isUseWss(): boolean;
    /** There is nothing else. */
    UseWebSocket(_isUsed?: boolean): true;
    getUrl(node?: string): string;
    /** Nothing is collected. */
    sendStatistics(): void;
}
