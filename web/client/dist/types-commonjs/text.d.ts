export declare const Base64: {
    encode(text: string): string;
    decode(text: string): string;
};
/** Takes one level of backslashes away, as PHP does. */
export declare function stripslashes(text: string): string;
