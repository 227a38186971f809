// Makes dist/ of src/. It is committed, so that nobody who builds the server needs npm.
//
//   node build.mjs [folder]

import { spawnSync } from 'node:child_process'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))
const folder = process.argv[2] ?? `${here}dist`

// Long names that no program, no wire and no other tab sees. Names of the platform must not stand here.
const INSIDE = [
  'abandon', 'after', 'answered', 'askAgain', 'asked', 'bytes', 'callback', 'changed', 'closed', 'command',
  'credentials', 'deafenLog', 'deliver', 'dialing', 'ears', 'enter', 'first', 'flush', 'forget', 'fromNode',
  'fromTab', 'hasAudience', 'hello', 'hold', 'isAnonymous', 'isFollowed', 'isLive', 'isOnline', 'isOwn', 'kind',
  'leave', 'listenToLog', 'live', 'login', 'openChannel', 'opened', 'page', 'past', 'pastOfFirst', 'place', 'post',
  'randomBytes', 'receive', 'received', 'reconnect', 'refused', 'release', 'rested', 'secure', 'sent', 'storage',
  'tenant', 'untaken', 'wake', 'watch', 'wish', 'world',
]

const shared = {
  mangleProps: new RegExp(`^(${INSIDE.join('|')})$`),
  absWorkingDir: here, bundle: true, minify: true, target: 'es2022', charset: 'utf8', legalComments: 'none', logLevel: 'warning',
  banner: { js: '// cometql, MIT OR Apache-2.0' },
}
await build({ ...shared, entryPoints: ['src/script.ts'], format: 'iife', outfile: `${folder}/CometServerApi.js` })
await build({ ...shared, entryPoints: ['src/index.ts'], format: 'esm', outfile: `${folder}/cometql.mjs` })
await build({ ...shared, entryPoints: ['src/commonjs.cts'], format: 'cjs', outfile: `${folder}/cometql.cjs` })

for (const types of ['types', 'types-commonjs']) rmSync(`${folder}/${types}`, { recursive: true, force: true })
const types = ['--project', 'tsconfig.types.json', '--outDir', `${folder}/types`]
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...types], { cwd: here, stdio: 'inherit' })
// The same for programs that use `require`: TypeScript tells the two apart by the folder.
cpSync(`${folder}/types`, `${folder}/types-commonjs`, { recursive: true })
writeFileSync(`${folder}/types-commonjs/package.json`, '{ "type": "commonjs" }\n')
process.exitCode = status ?? 1
