import { type World } from './world.js';
/** `isFromOtherTab` is the third argument, as programs expect it. */
export type Slot = (parameter: unknown, signal: string, isFromOtherTab: boolean) => void;
export declare class TabSignal {
    #private;
    constructor(world?: World, name?: string);
    /** `connect(signal, slot)` or `connect(name, signal, slot)`; answers with the name of the slot. */
    connect(...given: [signal: string, slot: Slot] | [name: string, signal: string, slot: Slot]): string;
    disconnect(name: string, signal: string): boolean;
    /** In this tab. */
    emit(signal: string, parameter?: unknown): void;
    /** In every tab. */
    emitAll(signal: string, parameter?: unknown): void;
    /** In every other tab. */
    send_emit(signal: string, parameter?: unknown): void;
    /** A value that all tabs share. With `minTime` one that is younger, in milliseconds, stays. */
    setState(name: string, value: unknown, minTime?: number): boolean;
    /** Undefined if there is none, or only one that is older than `maxAge` milliseconds. */
    getState(name: string, maxAge?: number): unknown;
    /** Has one of the tabs make the value anew whenever it is older than `maxAge` milliseconds; answers with how to stop it. */
    intervalUpdateState(name: string, maxAge: number, update: (set: (value: unknown) => void) => void): () => void;
}
