export type CometErrorCode = 'aborted' | 'forbidden' | 'invalid' | 'refused' | 'stopped' | 'too_long' | 'too_many' | 'too_slow' | 'unanswered' | 'unavailable';
export declare class CometError extends Error {
    readonly code: CometErrorCode;
    /** The number the node gave: of an `error` frame, or of the close. */
    readonly number?: number | undefined;
    readonly name = "CometError";
    constructor(code: CometErrorCode, text: string, 
    /** The number the node gave: of an `error` frame, or of the close. */
    number?: number | undefined);
    static ofNode(number: number, text: string): CometError;
}
