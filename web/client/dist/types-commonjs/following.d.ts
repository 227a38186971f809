import { type Arrival, type Gap, type HistoryPage, type NodeMessage, type PipeWish, type Position, type Subscribed } from './frames.js';
export interface Following {
    /** The `subscribe` that asked for it in this connection. */
    readonly asked?: number;
    /** Whether that has been answered: what arrives before belongs to an earlier subscription. */
    readonly live: boolean;
    /** The last message that was handed over, or where the pipe stood when we came. */
    readonly position?: Position;
    /** How many messages of the past are wanted, as long as we have no position. */
    readonly last?: number;
}
export type PipeFrame = Subscribed | Arrival | HistoryPage | Gap;
export type PipeNews = {
    readonly kind: 'message';
    readonly pipe: string;
    readonly message: NodeMessage;
    readonly history: boolean;
} | {
    readonly kind: 'gap';
    readonly pipe: string;
    readonly from: Position | undefined;
    readonly to: Position;
} | {
    readonly kind: 'subscribed';
    readonly pipe: string;
    readonly position: Position | undefined;
    readonly recovered: boolean | undefined;
};
type Step = readonly [Following, readonly PipeNews[]];
export declare function follow(pipe: Following, frame: PipeFrame): Step;
/** What to ask for: what was missed, or the past that is wanted, or only what is to come. */
export declare function wish(name: string, { position, last }: Following): PipeWish;
/** The connection is gone; the position stays. */
export declare function parted({ position, last }: Following): Following;
export {};
