// The module `cometql`.

export { Comet, connect } from './comet.js'
export type { CometEvents, Options, PipeUser, Published, PublishOptions, Seen } from './comet.js'
export type { ConnectionState } from './connection.js'
export { CometError } from './errors.js'
export type { CometErrorCode } from './errors.js'
export type { Position } from './frames.js'
export { Subscription } from './subscription.js'
export type { Gap, Message, Ready, SubscribeOptions } from './subscription.js'
export { CometServerApi } from './classic.js'
export type { ClassicMessage, ClassicOptions, ServerInfo } from './classic.js'
export { TabSignal } from './signals.js'
