// Makes dist/ of src/. It is committed, so that nobody who builds the server needs npm.
//
//   node build.mjs [folder]

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))
const folder = process.argv[2] ?? `${here}dist`

const shared = {
  absWorkingDir: here, bundle: true, minify: true, target: 'es2022', charset: 'utf8', legalComments: 'none', logLevel: 'warning',
  banner: { js: '// cometql, MIT OR Apache-2.0' },
}
const module = { ...shared, entryPoints: ['src/index.ts'] }
await build({ ...shared, entryPoints: ['src/script.ts'], format: 'iife', outfile: `${folder}/CometServerApi.js` })
await build({ ...module, format: 'esm', outfile: `${folder}/cometql.mjs` })
await build({ ...module, format: 'cjs', outfile: `${folder}/cometql.cjs` })

const types = ['--project', 'tsconfig.types.json', '--outDir', `${folder}/types`]
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...types], { cwd: here, stdio: 'inherit' })
process.exitCode = status ?? 1
