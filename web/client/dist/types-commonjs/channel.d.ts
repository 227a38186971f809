import { type Arrival, type HistoryPage, type NodeFrame, type PipeWish, type Position, type Refusal, type Subscribed } from './frames.js';
export interface Entry {
    readonly tab: string;
    /** None for the user's log. */
    readonly id?: number;
    readonly position?: Position;
    readonly last?: number;
    /** Wants everything that is remembered, the log's way. */
    readonly untaken?: boolean;
}
export declare class Channel {
    #private;
    readonly pipe: string;
    private readonly post;
    /** Has the node asked again, from where `wish` says: it may know what we do not remember. */
    private readonly askAgain;
    /** The `subscribe` that asked the node for it, and from where. */
    asked: number | undefined;
    constructor(pipe: string, post: (tab: string, frame: NodeFrame) => void, 
    /** Has the node asked again, from where `wish` says: it may know what we do not remember. */
    askAgain: (channel: Channel) => void);
    get isLive(): boolean;
    get hasAudience(): boolean;
    /** What to ask the node for, on behalf of all. */
    wish(): PipeWish;
    enter(entry: Entry): void;
    leave(tab: string): void;
    /** A page of the past, for a tab that came when the pipe was live: what lies ahead of us it will get with the others. */
    past({ tab, id }: Entry, frame: HistoryPage): void;
    /** A page of the past that came with the node's own subscription. */
    pastOfFirst(frame: HistoryPage): void;
    subscribed({ id, position: present, recovered }: Subscribed): void;
    refused(frame: Refusal): string[];
    /** Whether it belongs to the subscription. */
    gap(position: Position): boolean;
    /** Whether it belongs to the subscription: what is left over from one before comes again with the next. */
    message(frame: Arrival, length: number): boolean;
}
