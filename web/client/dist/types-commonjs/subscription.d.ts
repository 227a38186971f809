import { CometError } from './errors.js';
import { type Position } from './frames.js';
/** A message as programs get it. */
export interface Message<Data = unknown> {
    readonly pipe: string;
    readonly event: string;
    /** The value, if what was published is JSON, and otherwise the text. */
    readonly data: Data;
    readonly position: Position;
    readonly uuid: string | undefined;
    readonly time: Date | undefined;
    /** The user who published it, from a browser and not anonymously. */
    readonly user: number | undefined;
    /** From what the pipe keeps, not as it was published. */
    readonly history: boolean;
    /** Published by this page. */
    readonly own: boolean;
}
/** What was published between the two positions, the second included, did not reach this page. */
export interface Gap {
    readonly pipe: string;
    readonly from: Position | undefined;
    readonly to: Position;
}
export interface Ready {
    readonly position: Position | undefined;
    /** Whether everything since the position that was asked for is there; undefined if none was. */
    readonly recovered: boolean | undefined;
}
export interface SubscribeOptions<Data = unknown> {
    /** Only messages with this event. */
    readonly event?: string;
    /** At first, so many of the newest messages that the pipe keeps. */
    readonly last?: number;
    /** Goes on where an earlier page has stopped: the position of the last message it had. */
    readonly position?: Position;
    readonly signal?: AbortSignal;
    /** Without it messages wait for the loop `for await`. */
    readonly onMessage?: (message: Message<Data>) => void;
    readonly onGap?: (gap: Gap) => void;
    /** How many messages may wait for the loop before it ends with an error: 10,000. */
    readonly waitingMax?: number;
}
/** Calls what belongs to the program: what it throws is reported and disturbs nobody else. */
export declare function call<Arguments extends readonly unknown[]>(callback: ((...given: Arguments) => void) | undefined, ...given: Arguments): void;
/** What a client needs of a subscription, whatever its messages are. Programs do not see it, nor their types. */
export interface Reader {
    readonly pipe: string;
    deliver(message: Message): void;
    gap(gap: Gap): void;
    answered(ready: Ready): void;
    refused(error: CometError): void;
    hold(): void;
    release(past: readonly Message[]): void;
}
export declare class Subscription<Data = unknown> implements AsyncIterable<Message<Data>> {
    #private;
    readonly pipe: string;
    private readonly options;
    private readonly closed;
    /** Settles with the node's answer to the subscription. */
    readonly ready: Promise<Ready>;
    constructor(pipe: string, options: SubscribeOptions<Data>, closed: () => void);
    readonly close: () => void;
    [Symbol.asyncIterator](): AsyncGenerator<Message<Data>, undefined>;
}
