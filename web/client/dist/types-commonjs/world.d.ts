export interface Socket {
    onopen: ((event: never) => void) | null;
    onmessage: ((event: {
        readonly data: unknown;
    }) => void) | null;
    onclose: ((event: {
        readonly code: number;
        readonly reason: string;
    }) => void) | null;
    onerror: ((event: never) => void) | null;
    send(text: string): void;
    close(code?: number, reason?: string): void;
}
export type SocketConstructor = new (url: string) => Socket;
export interface Channel {
    onmessage: ((event: {
        readonly data: unknown;
    }) => void) | null;
    postMessage(message: unknown): void;
    close(): void;
}
export interface Locks {
    request(name: string, options: {
        signal?: AbortSignal;
        steal?: boolean;
    }, held: () => Promise<void>): Promise<void>;
}
/** Something happened to the page. */
export type PageEvent = 'online' | 'offline' | 'visible' | 'hide' | 'show';
export interface Page {
    readonly protocol: string;
    readonly host: string;
    isOnline(): boolean;
    /** Calls `happened` until the function that it returns is called. */
    watch(happened: (event: PageEvent) => void): () => void;
}
export interface World {
    now(): number;
    random(): number;
    randomBytes(count: number): Uint8Array;
    after(milliseconds: number, then: () => void): () => void;
    readonly WebSocket: SocketConstructor | undefined;
    /** Undefined outside of a browser. */
    readonly page: Page | undefined;
    /** Both are undefined where tabs cannot share a connection. */
    readonly locks: Locks | undefined;
    readonly openChannel: ((name: string) => Channel) | undefined;
    readonly storage: Memory;
}
/** What outlives the page, if the browser lets us. */
export interface Memory {
    read(name: string): string | null;
    /** Whether it is remembered. */
    write(name: string, value: string): boolean;
}
/** The world as it is, in a browser or in Node. */
export declare function surroundings(): World;
/** Of `Storage`, what we need. */
export interface WebStorage {
    getItem(name: string): string | null;
    setItem(name: string, value: string): void;
}
/** Storage throws where cookies are forbidden, already when it is only named, and when it is full. */
export declare function memory(storage: () => WebStorage | undefined): Memory;
