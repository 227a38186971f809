export interface AddressOptions {
    /** The tenant, 0 without it. */
    readonly tenant: number;
    /** For nodes that do not say: `wss` if true, otherwise `ws`. */
    readonly secure: boolean;
}
/** From `host`, `host:port`, `host/mount` or a whole `ws(s)://` URL. */
export declare function nodeUrl(node: string, { tenant, secure }: AddressOptions): string;
