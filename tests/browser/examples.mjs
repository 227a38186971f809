// The programs of examples/, used as their users would.
//
//   node examples.mjs chat|private-messages|who-is-online <url> [screenshot.png]
//
// Exits with 0 when all went well, with 1 and the reason otherwise.

import { chromium } from 'playwright-core'

const DEADLINE_SECONDS = 30
const MARKUP = `<img src=x onerror="window.markupRan = true"> it's "quoted" \\ 🚀`
const PARTS = { chat, 'private-messages': privateMessages, 'who-is-online': whoIsOnline }

const [name, url, screenshot] = process.argv.slice(2)
if (!url || !PARTS[name]) fail(`usage: node examples.mjs ${Object.keys(PARTS).join('|')} <url> [screenshot.png]`)

let step = 'starting the browser'
setTimeout(() => fail(`not done after ${DEADLINE_SECONDS} s, while ${step}`), DEADLINE_SECONDS * 1000).unref()

const complaints = []
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
})
try {
  await PARTS[name]()
  expect(complaints.length === 0, complaints.join('; '))
  console.log(`ok: ${name}`)
} catch (error) {
  console.error(`not ok, while ${step}: ${error.message}`)
  process.exitCode = 1
} finally {
  await browser.close()
}

async function chat() {
  step = 'two open the page'
  const [ann, bob] = [await visit(), await visit()]
  await Promise.all([live(ann), live(bob)])

  step = 'they talk'
  await ann.locator('[name=name]').fill('Ann')
  await bob.locator('[name=name]').fill('Bob')
  await say(ann, 'Hello, is anybody here?')
  await item(bob, '#messages', 'Ann').filter({ hasText: 'Hello, is anybody here?' }).waitFor()
  await say(bob, MARKUP)
  for (const page of [ann, bob]) await item(page, '#messages', MARKUP).waitFor()
  await bob.locator('#messages > li.mine', { hasText: 'Bob' }).waitFor()

  step = 'a third comes later'
  const late = await visit()
  await item(late, '#messages', MARKUP).waitFor()
  const texts = await late.locator('#messages > li').allTextContents()
  expect(texts.length === 2 && texts[0].includes('Hello'), `the newcomer has both in their order: ${texts}`)
  expect(!await late.evaluate(() => window.markupRan), 'markup in a message stays text')

  step = 'the server is asked for what it must refuse'
  const nameless = await late.request.post(new URL('send.php', url).href, { form: { text: 'x' } })
  expect(nameless.status() === 400, `a message without a name is refused, not ${nameless.status()}`)
  const noText = await late.request.post(new URL('send.php', url).href, { form: { name: 'x', 'text[]': 'x' } })
  expect(noText.status() === 400, `a list in place of a text is refused, not ${noText.status()}`)
  await picture(bob)
}

async function privateMessages() {
  step = 'Ada and Ben log in'
  const [ada, ben] = [await visit(), await visit()]
  for (const [page, who] of [[ada, 'Ada'], [ben, 'Ben']]) {
    await page.locator('[name=user]').selectOption(who)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('#me', { hasText: who }).waitFor()
    await live(page)
  }

  step = 'Ada writes to Ben'
  await ada.locator('[name=to]').selectOption('Ben')
  await say(ada, MARKUP)
  await item(ben, '#messages', MARKUP).filter({ hasText: 'Ada' }).waitFor()
  await item(ada, '#messages', 'to Ben').waitFor()

  step = 'Ben closes the page, Ada writes again'
  const context = ben.context()
  await watchUser(ada, 2)
  await ben.close()
  await ada.evaluate(() => window.userHasGone)
  await say(ada, 'Are you there?')
  await item(ada, '#messages', 'Are you there?').waitFor()
  step = 'Ben opens the page'
  const back = await visit(context)
  await item(back, '#messages', 'Are you there?').filter({ hasText: 'while you were away' }).waitFor()
  expect(await back.locator('#messages > li').count() === 1, 'what Ben has had does not come again')
  expect(!await back.evaluate(() => window.markupRan), 'markup in a message stays text')
  await picture(back)

  step = 'somebody else sends a form'
  const forged = { form_token: '0'.repeat(32), to: '2', text: 'x' }
  const answer = await ada.request.post(new URL('send.php', url).href, { form: forged })
  expect(answer.status() === 403, `a form without the token is refused, not ${answer.status()}`)

  step = 'Ada logs out'
  const other = await visit(ada.context())
  await live(other)
  await ada.getByRole('button', { name: 'Log out' }).click()
  await ada.getByRole('button', { name: 'Log in' }).waitFor()
  step = 'the other page of Ada is told so'
  await other.locator('#state', { hasText: 'logged out' }).waitFor()
}

async function whoIsOnline() {
  step = 'the first comes'
  const first = await visit()
  const me = await first.locator('#me').textContent()
  await item(first, '#here', `Visitor ${me} (you)`).waitFor()

  step = 'a second comes'
  const second = await visit()
  const other = await second.locator('#me').textContent()
  await item(first, '#here', other).waitFor()
  await item(second, '#here', me).waitFor()
  expect(await first.locator('#here > li').count() === 2, 'both are listed once')
  step = 'the tables are asked'
  const listed = await (await second.request.get(url)).text()
  expect(listed.includes(`data-user="${me}"`), 'the page lists who is there before any script runs')

  step = 'a third comes and the second goes'
  const third = await visit()
  await item(first, '#here', await third.locator('#me').textContent()).waitFor()
  await second.close()
  await item(first, '#seen', other).waitFor()
  await item(first, '#here', other).waitFor({ state: 'detached' })
  const late = await visit()
  await item(late, '#seen', other).filter({ has: late.locator('time', { hasText: /\d/ }) }).waitFor()
  await picture(first)

  step = 'the second is back'
  const back = await visit(second.context())
  expect(await back.locator('#me').textContent() === other, 'it is the same visitor')
  for (const page of [first, late]) {
    await item(page, '#here', other).waitFor()
    await item(page, '#seen', other).waitFor({ state: 'detached' })
  }
}

// A page of a browser of its own, or of one that was here.
async function visit(context) {
  const page = await (context ?? await browser.newContext({ viewport: { width: 760, height: 640 } })).newPage()
  page.setDefaultTimeout(DEADLINE_SECONDS * 1000)
  page.on('pageerror', error => complaints.push(`the page threw: ${error.message}`))
  page.on('console', said => { if (said.type() === 'error') complaints.push(`the console has: ${said.text()}`) })
  page.on('dialog', dialog => fail(`the page says, while ${step}: ${dialog.message()}`))
  page.on('request', request => {
    if (!request.url().startsWith(url) && request.url() !== 'data:,') complaints.push(`the page asked for ${request.url()}`)
  })
  await page.goto(url)
  return page
}

// From now on `userHasGone` of the page waits for the user to be offline.
async function watchUser(page, user) {
  await page.evaluate(user => new Promise(watched => {
    const { node } = document.scripts[0].dataset
    const socket = new WebSocket(`ws://${node}/ws/sesion=&myid=0&devid=0&v=4.08&uuid=${'w'.repeat(32)}&api=js`)
    socket.onopen = () => socket.send(`subscription\nuser_status_${user}`)
    window.userHasGone = new Promise(gone => {
      socket.onmessage = frame => {
        const { pipe, event } = JSON.parse(frame.data)
        // The answer to this comes when the subscription before it holds.
        if (event === 'serverInfo') socket.send(`user_status\n${user}`)
        if (pipe === '_answer_user_status') watched()
        if (event === 'offline') gone()
      }
    })
  }), user)
}

async function live(page) {
  await page.locator('#state', { hasText: /^live$/ }).waitFor()
}

async function say(page, text) {
  await page.locator('[name=text]').fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

function item(page, list, text) {
  return page.locator(`${list} > li`, { hasText: text })
}

async function picture(page) {
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true })
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected: ${what}`)
}

function fail(reason) {
  console.error(`not ok: ${reason}`)
  process.exit(1)
}
