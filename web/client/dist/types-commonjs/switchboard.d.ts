import { type ClientFrame, type Hello, type NodeFrame } from './frames.js';
export declare class Switchboard {
    #private;
    private readonly credentials;
    /** To the node. */
    private readonly send;
    /** To one tab, or to `EVERYONE`. */
    private readonly post;
    /** A login can be asked for anew only by a new connection. */
    private readonly reconnect;
    constructor(credentials: Omit<Hello, 'do' | 'position'>, 
    /** To the node. */
    send: (frames: readonly ClientFrame[]) => void, 
    /** To one tab, or to `EVERYONE`. */
    post: (tab: string, frame: NodeFrame) => void, 
    /** A login can be asked for anew only by a new connection. */
    reconnect: () => void);
    /** Whether the node did not take the key. */
    get isAnonymous(): boolean;
    /** The connection is there: everything that has been asked for until now goes out in one frame. */
    opened(): void;
    fromTab(tab: string, frames: readonly ClientFrame[]): void;
    /** The tab is gone: what only it had subscribed to is given up. */
    left(tab: string): void;
    fromNode(frame: NodeFrame, length: number): void;
}
