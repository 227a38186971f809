// Pages in Debian's chromium, and what is waited for on them.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

import { chromium } from 'playwright-core'

const DEADLINE_SECONDS = 60

export const MARKUP = `<img src=x onerror="window.markupRan = true"> it's "quoted" \\ 🚀`

let step = 'starting the browser'
let browser
const complaints = []

/** What is being done, for the message if it fails. */
export function now(what) {
  step = what
}

/** Runs the part of a test; exits with 0 when all went well, with 1 and the reason otherwise. */
export async function run(name, part) {
  setTimeout(() => fail(`not done after ${DEADLINE_SECONDS} s, while ${step}`), DEADLINE_SECONDS * 1000).unref()
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  })
  try {
    await part()
    expect(complaints.length === 0, complaints.join('; '))
    console.log(`ok: ${name}`)
  } catch (error) {
    console.error(`not ok, while ${step}: ${error.message}`)
    process.exitCode = 1
  } finally {
    await browser.close()
  }
}

/**
 * A page of a browser of its own, or of one that was here. It may ask nobody but `hosts`, and `quiet` says that nothing
 * may go wrong on it: the loss of a connection is told in a browser's console.
 */
export async function visit(url, { hosts = [new URL(url).host], context, quiet = true, ...options } = {}) {
  const page = await (context ?? await browser.newContext({ viewport: { width: 760, height: 640 }, ...options })).newPage()
  page.setDefaultTimeout(DEADLINE_SECONDS * 1000)
  page.on('pageerror', error => complaints.push(`the page threw: ${error.message}`))
  page.on('console', said => { if (quiet && said.type() === 'error') complaints.push(`the console has: ${said.text()}`) })
  page.on('dialog', dialog => fail(`the page says, while ${step}: ${dialog.message()}`))
  page.on('request', request => {
    if (!hosts.includes(new URL(request.url()).host) && request.url() !== 'data:,') complaints.push(`the page asked for ${request.url()}`)
  })
  await page.goto(url)
  return page
}

export async function live(page) {
  await page.locator('#state', { hasText: /^live$/ }).waitFor()
}

/** The items of a list that have this text. */
export function item(page, list, text) {
  return page.locator(`${list} > li`, { hasText: text })
}

export async function markupStayedText(page) {
  expect(!await page.evaluate(() => window.markupRan), 'markup in a message stays text')
}

/** Nothing of a page is cut off at its right. */
export async function fits(page) {
  const missing = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  expect(missing <= 0, `the page is ${missing} pixels too wide for ${page.viewportSize().width}`)
}

/** Asks for the restart of the node, and waits until it is there again. `tests/world/restarts.rs` answers. */
export async function restarted() {
  console.log('restart the node')
  await new Promise(done => createInterface({ input: process.stdin }).once('line', done))
  process.stdin.destroy()
}

/** Runs a statement with the stock client. */
export function query({ host, port, password }, statement) {
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

/** A literal as every driver writes it. */
export function quoted(text) {
  const escaped = text.replace(/[\\'"\n]/g, letter => letter === '\n' ? '\\n' : '\\' + letter)
  return `'${escaped}'`
}

export function insert(sql, pipe, event, message) {
  return query(sql, `INSERT INTO pipes_messages (name, event, message) VALUES (${[pipe, event, message].map(quoted).join(', ')})`)
}

export function expect(holds, what) {
  if (!holds) throw new Error(`expected: ${what}`)
}

export function fail(reason) {
  console.error(`not ok: ${reason}`)
  process.exit(1)
}
