// The module for `require`: what `index.ts` exports, without what a bundler would add.

import { Comet, CometError, CometServerApi, connect, Subscription, TabSignal } from './index.js'

export = { Comet, CometError, CometServerApi, connect, Subscription, TabSignal }
