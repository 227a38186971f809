import { type ClientFrame, type Hello, type NodeFrame } from './frames.js';
/** To everyone, what nobody needs alone: the messages as they come. */
export declare const EVERYONE = "";
export declare class Switchboard {
    #private;
    private readonly credentials;
    /** To the node. */
    private readonly send;
    /** To one tab, or to `EVERYONE`. */
    private readonly post;
    constructor(credentials: Omit<Hello, 'do' | 'position'>, 
    /** To the node. */
    send: (frames: readonly ClientFrame[]) => void, 
    /** To one tab, or to `EVERYONE`. */
    post: (tab: string, frame: NodeFrame) => void);
    /** Whether the node did not take the key. */
    get isAnonymous(): boolean;
    /** The connection is there: everything that has been asked for until now goes out in one frame. */
    opened(): void;
    fromTab(tab: string, frames: readonly ClientFrame[]): void;
    /** The tab is gone: what only it had subscribed to is given up. */
    left(tab: string): void;
    fromNode(frame: NodeFrame, length: number): void;
}
