export type Place = 
/** What arrives in a pipe, all of it or one event. */
{
    readonly kind: 'pipe';
    readonly name: string;
    readonly pipe: string;
    readonly event: string | undefined;
}
/** What became of what this page has published to a pipe. */
 | {
    readonly kind: 'report';
    readonly name: string;
    readonly pipe: string;
}
/** What goes wrong. */
 | {
    readonly kind: 'sys';
    readonly name: string;
} | {
    readonly kind: 'everything';
    readonly name: string;
};
/** Names stand in a list, or one a line; nothing if one of them is no name. */
export declare function pipesOf(names: string | readonly string[] | undefined): Place[] | undefined;
