/** `[epoch, index]`: where a message stands in its pipe. */
export type Position = readonly [epoch: number, index: number];
/** A message as the node sends it, alone or in a history. */
export interface NodeMessage {
    readonly event: string;
    readonly data: unknown;
    readonly position: Position;
    readonly uuid?: string;
    readonly time?: number;
    readonly user?: number;
}
export interface Hello {
    readonly do: 'hello';
    readonly uuid?: string;
    readonly user?: number;
    readonly key?: string;
    readonly position?: Position;
}
export interface PipeWish {
    readonly pipe: string;
    readonly position?: Position;
    readonly last?: number;
}
/** A command that is answered. */
export type Command = {
    readonly do: 'subscribe';
    readonly pipes: readonly PipeWish[];
} | {
    readonly do: 'unsubscribe';
    readonly pipes: readonly string[];
} | {
    readonly do: 'publish';
    readonly pipe: string;
    readonly event?: string;
    readonly data: unknown;
    readonly uuid: string;
    readonly anonymous?: boolean;
} | {
    readonly do: 'history';
    readonly pipe: string;
    readonly last?: number;
} | {
    readonly do: 'count';
    readonly pipe: string;
} | {
    readonly do: 'users';
    readonly pipe: string;
} | {
    readonly do: 'user_data';
    readonly user: number;
} | {
    readonly do: 'seen';
    readonly user: number;
} | {
    readonly do: 'ping';
};
export type ClientFrame = Hello | {
    readonly do: 'taken';
    readonly position: Position;
} | (Command & {
    readonly id: number;
});
export interface Welcome {
    readonly is: 'welcome';
    readonly user: number | null;
    readonly server?: string;
    readonly ping_seconds?: number;
    readonly message_bytes_max?: number;
    readonly subscriptions_max?: number;
}
export interface Subscribed {
    readonly is: 'subscribed';
    readonly id?: number;
    readonly pipe: string;
    readonly position?: Position;
    readonly recovered?: boolean;
}
export interface Arrival extends NodeMessage {
    readonly is: 'message';
    readonly pipe: string;
}
export interface HistoryPage {
    readonly is: 'history';
    readonly id: number;
    readonly pipe: string;
    readonly messages: readonly NodeMessage[];
    readonly more: boolean;
}
export interface Gap {
    readonly is: 'gap';
    readonly pipe: string;
    readonly position: Position;
}
export interface Answer {
    readonly is: 'answer';
    readonly id: number;
    readonly [key: string]: unknown;
}
export interface Refusal {
    readonly is: 'error';
    readonly id?: number;
    readonly code: number;
    readonly text: string;
    readonly pipe?: string;
}
export interface Move {
    readonly is: 'move';
    readonly within_seconds: number;
}
export type NodeFrame = Welcome | Subscribed | Arrival | HistoryPage | Gap | Answer | Refusal | Move;
/** The pipe under whose name the user's own log arrives. It is never subscribed to: who logs in has it. */
export declare const LOG = "msg";
/** Among tabs: to all of them, what nobody needs alone. */
export declare const EVERYONE = "";
/** What a text frame says, or nothing if it is not one of ours: what a client does not know it ignores. */
export declare function parseFrame(text: unknown): NodeFrame | undefined;
/** Whether what stands at `position` has been reached by a reader who is at `reader`. */
export declare function isReached(position: Position, reader: Position): boolean;
export declare function isSame(one: Position, other: Position | undefined): boolean;
/** Of several readers, the one who has most to catch up on; of different epochs nobody knows. */
export declare function earliest(positions: readonly Position[]): Position | undefined;
