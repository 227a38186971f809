import { CometError } from './errors.js';
import { type PipeNews } from './following.js';
import { type Answer, type ClientFrame, type Command, type NodeFrame, type NodeMessage, type Position } from './frames.js';
/** Who is there. */
export interface Credentials {
    readonly uuid: string;
    readonly user?: number;
    readonly key?: string;
}
export type Effect = PipeNews | {
    readonly kind: 'welcome';
    readonly user: number | null;
} | {
    readonly kind: 'refused';
    readonly pipe: string;
    readonly error: CometError;
} | {
    readonly kind: 'answered';
    readonly id: number;
    readonly answer: Answer;
    readonly messages: readonly NodeMessage[];
} | {
    readonly kind: 'failed';
    readonly id: number;
    readonly error: CometError;
}
/** The node cannot at the moment: call `rested` and flush a while later. */
 | {
    readonly kind: 'tired';
};
export declare class Session {
    #private;
    constructor(credentials: Credentials);
    /** Somebody else from the next connection on: their log is another one. */
    login(credentials: Credentials): void;
    /** Another node or tenant: positions mean nothing there. */
    forget(): void;
    /** Throws when there are too many. What is followed already stays as it is. */
    subscribe(pipe: string, from?: {
        position?: Position;
        last?: number;
    }): void;
    unsubscribe(pipe: string): void;
    position(pipe: string): Position | undefined;
    isFollowed(pipe: string): boolean;
    /** From now on private messages are handed over; those that came before are the answer. */
    listenToLog(): readonly PipeNews[];
    deafenLog(): void;
    /** Takes a command, to be sent now or when there is a connection; throws when it never can be. */
    command(command: Command): number;
    /** Nobody waits for the answer any more. */
    abandon(id: number): void;
    isOwn(uuid: string | undefined): boolean;
    /** A connection is there: what goes out first. */
    opened(): ClientFrame[];
    /** The connection is gone. What was unanswered is repeated in the next. */
    closed(): void;
    rested(): void;
    /** What is to be sent now, all pipes in one frame. */
    flush(): ClientFrame[];
    receive(frame: NodeFrame): Effect[];
}
