// Node in place of a browser: as much of Playwright's pages as the tests use, so that the same tests run in both. Each
// page is a world of its own, with what Node has and no document.

import vm from 'node:vm'

const GLOBALS = [
  'AbortController', 'AbortSignal', 'DOMException', 'Event', 'EventTarget', 'TextDecoder', 'TextEncoder', 'URL', 'WebSocket', 'atob', 'btoa',
  'clearInterval', 'clearTimeout', 'console', 'crypto', 'performance', 'queueMicrotask', 'setInterval', 'setTimeout', 'structuredClone',
]
const LOOK_AGAIN_MILLIS = 10

export class NodeBrowser {
  async newContext() {
    return { newPage: async () => new NodePage() }
  }

  async close() {}
}

class NodePage {
  #world = vm.createContext(Object.fromEntries(GLOBALS.map(name => [name, globalThis[name]])))

  setDefaultTimeout() {}

  on() {}

  async goto() {}

  async addScriptTag({ url }) {
    const response = await fetch(url)
    vm.runInContext(await response.text(), this.#world, { filename: url })
    // The tests put their own things there; the script has seen that there is none.
    this.#world.window = vm.runInContext('globalThis', this.#world)
  }

  async evaluate(task, argument) {
    const result = await vm.runInContext(`(${task})`, this.#world)(structuredClone(argument))
    return result === undefined ? undefined : JSON.parse(JSON.stringify(result))
  }

  async waitForFunction(task, argument) {
    while (!await this.evaluate(task, argument)) await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MILLIS))
  }

  async close() {
    await this.evaluate(() => { cometApi.stop() })
  }
}
