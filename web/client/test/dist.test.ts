// What is committed in dist/: it is what src/ makes, it is small, and it loads everywhere.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'

const GZIPPED_BYTES_MAX = 12 * 1_024
const SCRIPT = readFileSync('dist/CometServerApi.js', 'utf8')

test('dist/ is what src/ makes: run `npm run build` and commit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cometql-dist-'))
  try {
    execFileSync(process.execPath, ['build.mjs', folder])
    const list = (root: string) => readdirSync(root, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(root.length)).sort()
    assert.deepEqual(list('dist'), list(folder).map(name => name))
    for (const name of list(folder)) {
      assert.ok(readFileSync(join('dist', name)).equals(readFileSync(join(folder, name))), `dist${name} is not what src/ makes: run \`npm run build\``)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('each file is at most 12 KiB, gzipped', () => {
  for (const name of ['CometServerApi.js', 'cometql.mjs', 'cometql.cjs']) {
    const bytes = gzipSync(readFileSync(`dist/${name}`), { level: 9 }).length
    assert.ok(bytes <= GZIPPED_BYTES_MAX, `dist/${name} has ${bytes} bytes gzipped`)
  }
})

test('there is no dependency at run time, and what is published is there', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies?: object, main: string, module: string, types: string, license: string, files: string[], exports: { '.': Record<string, Record<string, string>> }
  }
  assert.equal(manifest.dependencies, undefined)
  assert.equal(manifest.license, 'MIT OR Apache-2.0')
  for (const path of [manifest.main, manifest.module, manifest.types, ...Object.values(manifest.exports['.']).flatMap(paths => Object.values(paths))]) readFileSync(path)
})

test('programs in TypeScript find the types, by import and by require', () => {
  const options = ['--noEmit', '--strict', '--module', 'node16', '--target', 'es2022', '--lib', 'es2022,dom']
  const { status, stdout } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...options, 'test/consumers/import.mts', 'test/consumers/require.cts'])
  assert.equal(status, 0, String(stdout))
})

test('a script tag defines what programs written for the original use', () => {
  const page: Record<string, any> = { console, setTimeout, clearTimeout, queueMicrotask, crypto, TextEncoder, AbortController, btoa, atob }
  page['globalThis'] = page
  runInNewContext(SCRIPT, page)
  const { cometApi, cometServerApi, _cometServerApi, CometServer, tabSignal, _tabSignal, comet_server_signal } = page
  assert.ok(cometApi instanceof cometServerApi && CometServer() === cometApi && _cometServerApi === cometServerApi)
  assert.ok(tabSignal instanceof _tabSignal && comet_server_signal() === tabSignal)
  const methods = [
    'start', 'restart', 'stop', 'subscription', 'Subscription', 'unsubscription', 'unsubscriptionAll', 'web_pipe_send', 'multi_web_pipe_send',
    'get_pipe_log', 'count_users_in_pipe', 'count_user_in_pipe', 'getTrackPipeUsers', 'getUserData', 'onAuthSuccess', 'onAuthFalill',
    'onAuthFail', 'isAuthorized', 'isMaster', 'isConnected', 'getUserId', 'getUserKey', 'getDevId', 'getUUID', 'getTabUUID',
    'getRealUserKey', 'setRealUserKey', 'getCustomString', 'setLogLevel', 'getLogLevel', 'UseWss', 'isUseWss', 'UseWebSocket', 'getUrl',
    'sendStatistics', 'stripslashes',
  ]
  for (const method of methods) assert.equal(typeof cometApi[method], 'function', method)
  assert.equal(typeof cometApi.Base64.encode, 'function')
  runInNewContext(SCRIPT, page)
  assert.equal(page['cometApi'], cometApi, 'loading it twice does not connect twice')
  assert.equal(typeof page['cometql'].connect, 'function')
})

test('the module loads by import and by require', async () => {
  const names = ['Comet', 'CometError', 'CometServerApi', 'Subscription', 'TabSignal', 'connect']
  const required = createRequire(join(process.cwd(), 'package.json'))('./dist/cometql.cjs') as object
  const imported = await import(pathToFileURL('dist/cometql.mjs').href) as object
  for (const exports of [required, imported]) assert.deepEqual(Object.keys(exports).sort(), names)
})
