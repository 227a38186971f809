// The first thing a newcomer does: open the page, run the INSERT, see the message.
//
//   node first_insert.mjs <http url> <mysql host> <mysql port> <password> [screenshot.png]
//
// Exits with 0 when every message arrived as it was sent, with 1 and the reason otherwise.

import { spawn } from 'node:child_process'

import { chromium } from 'playwright-core'

const DEADLINE_SECONDS = 30
const PIPE = 'first-insert'

const MESSAGES = [
  { name: 'plain text', sent: 'Hello from mysql' },
  { name: 'an apostrophe and a backslash', sent: String.raw`it's in C:\temp` },
  { name: 'JSON with everything that is escaped', sent: JSON.stringify({ text: 'a "quote", an \'apostrophe\', a \\ and a\nnewline 🚀' }) },
  { name: 'markup that must stay text', sent: '<img src=x onerror="window.markupRan = true">' },
]

const [url, host, port, password, screenshot] = process.argv.slice(2)
if (!password) fail('usage: node first_insert.mjs <http url> <mysql host> <mysql port> <password> [screenshot.png]')

let step = 'starting the browser'
setTimeout(() => fail(`not done after ${DEADLINE_SECONDS} s, while ${step}`), DEADLINE_SECONDS * 1000).unref()

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
})
try {
  await run(await browser.newPage())
  console.log(`ok: ${MESSAGES.length} messages went from the mysql client to the page`)
} catch (error) {
  console.error(`not ok, while ${step}: ${error.message}`)
  process.exitCode = 1
} finally {
  await browser.close()
}

async function run(page) {
  const complaints = []
  page.on('pageerror', error => complaints.push(`the page threw: ${error.message}`))
  page.on('request', request => {
    if (new URL(request.url()).host !== new URL(url).host) complaints.push(`the page asked for ${request.url()}`)
  })
  page.setDefaultTimeout(DEADLINE_SECONDS * 1000)

  step = `opening ${url}`
  await page.goto(url)
  step = 'waiting until the page says live'
  await page.locator('[data-testid=state]', { hasText: /^live$/ }).waitFor()
  step = 'typing the name of a pipe'
  const line = page.locator('[data-testid=mysql-line]')
  await page.locator('[data-testid=pipe]').fill('no good')
  await page.locator('[data-testid=pipe][aria-invalid=true]').waitFor()
  await page.locator('[data-testid=pipe]').fill(PIPE)
  await page.locator('[data-testid=pipe]').press('Enter')
  await line.filter({ hasText: `'${PIPE}'` }).waitFor()
  expect((await line.textContent()).includes(`-P ${port} `), 'the line to paste names the port')

  for (const [index, { name, sent }] of MESSAGES.entries()) {
    step = `publishing ${name}`
    await insert(PIPE, `event-${index}`, sent)
    step = `waiting for ${name}`
    const newest = page.locator('[data-testid=messages] > li').filter({ hasText: `event-${index}` })
    await newest.waitFor()
    const shown = await newest.locator('pre').textContent()
    expect(shown === asShown(sent), `the page shows ${JSON.stringify(shown)} for ${JSON.stringify(sent)}`)
  }

  step = 'looking back'
  expect(await page.locator('[data-testid=messages] > li').count() === MESSAGES.length, 'each message is shown once')
  expect(!await page.evaluate(() => window.markupRan), 'markup in a message stays text')
  expect(complaints.length === 0, complaints.join('; '))
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true })
}

// The page indents JSON.
function asShown(sent) {
  try {
    return JSON.stringify(JSON.parse(sent), null, 2)
  } catch {
    return sent
  }
}

function insert(pipe, event, message) {
  const values = [pipe, event, message].map(quoted).join(', ')
  const statement = `INSERT INTO pipes_messages (name, event, message) VALUES (${values})`
  const flags = ['--no-defaults', '--default-character-set=utf8mb4', '--protocol=tcp']
  return new Promise((resolve, reject) => {
    const client = spawn('mariadb', [...flags, '-h', host, '-P', port, '-u', 'root', '-e', statement], {
      env: { ...process.env, MYSQL_PWD: password },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    client.stderr.on('data', data => { said += data })
    client.on('error', reject)
    client.on('close', code => code === 0 ? resolve() : reject(new Error(`the mariadb client said: ${said.trim()}`)))
  })
}

// A literal as every driver writes it.
function quoted(text) {
  const escaped = text.replace(/[\\'"\n]/g, letter => letter === '\n' ? '\\n' : '\\' + letter)
  return `'${escaped}'`
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected: ${what}`)
}

function fail(reason) {
  console.error(`not ok: ${reason}`)
  process.exit(1)
}
