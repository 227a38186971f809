export type Off = () => void;
export declare class Listeners<Events> {
    #private;
    add<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void, signal?: AbortSignal): Off;
    emit<Name extends keyof Events>(name: Name, event: Events[Name]): void;
}
