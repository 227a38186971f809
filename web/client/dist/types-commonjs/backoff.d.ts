/** What a close code asks of us: docs/PROTOCOL.md, "How it ends". */
export type Remedy = 'at_once' | 'later' | 'never';
export declare function remedy(code: number): Remedy;
export declare const WAIT_MAX = 30000;
/** Full jitter: anything up to a bound that doubles, so that those who were cut off together do not come back together. */
export declare function wait(attempt: number, remedy: 'at_once' | 'later', random: number): number;
