// CometServerApi.js, for a script tag: the globals that programs written for the original use.

import { CometServerApi } from './classic.js'
import { Comet, connect } from './comet.js'
import { CometError } from './errors.js'
import { TabSignal } from './signals.js'

// Whoever loads it twice must not connect twice.
if (!('cometApi' in globalThis)) {
  const cometApi = new CometServerApi()
  const tabSignal = new TabSignal()
  Object.assign(globalThis, {
    cometApi,
    cometServerApi: CometServerApi,
    _cometServerApi: CometServerApi,
    CometServer: () => cometApi,
    tabSignal,
    _tabSignal: TabSignal,
    comet_server_signal: () => tabSignal,
    cometql: { Comet, CometError, connect },
  })
}
