// Compiles and runs the tests: `npm test`, or `node test/run.mjs classic` for the files whose names contain that.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const here = fileURLToPath(new URL('..', import.meta.url))
process.chdir(here)

const wanted = process.argv[2] ?? ''
const files = readdirSync('test').filter(name => name.endsWith('.test.ts') && name.includes(wanted))

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}

run('node_modules/typescript/bin/tsc', '--project', '.')
// Inside of node_modules, so that what is not bundled is found.
const folder = mkdtempSync('node_modules/.tests-')
try {
  await build({
    entryPoints: files.map(name => `test/${name}`), outdir: folder, outExtension: { '.js': '.mjs' },
    bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external', sourcemap: 'inline', logLevel: 'warning',
  })
  run('--enable-source-maps', '--test', '--test-reporter=spec', ...files.map(name => `${folder}/${name.replace(/ts$/, 'mjs')}`))
} finally {
  rmSync(folder, { recursive: true })
}
