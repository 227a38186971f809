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
    /** The `subscribe` that asked the node for it. */
    asked: number | undefined;
    constructor(pipe: string, post: (tab: string, frame: NodeFrame) => void);
    get isLive(): boolean;
    /** What to ask the node for, on behalf of all who wait. */
    wish(): PipeWish;
    enter(entry: Entry): void;
    leave(tab: string): void;
    /** A page of the past, for a tab that came when the pipe was live: what lies ahead of us it will get with the others. */
    past({ tab, id }: Entry, frame: HistoryPage): void;
    /** A page of the past that came with the node's own subscription. */
    pastOfFirst(frame: HistoryPage): void;
    subscribed(frame: Subscribed): void;
    refused(frame: Refusal): string[];
    gap(position: Position): void;
    /** Whether it belongs to the subscription: it may be left over from one before. */
    message(frame: Arrival, length: number): boolean;
}
