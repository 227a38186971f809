// The programs of examples/, used as their users would.
//
//   node examples.mjs chat|chat-restart|private-messages|who-is-online <url> <host:port of the node> [screenshot.png]
//
// Exits with 0 when all went well, with 1 and the reason otherwise.

import { MARKUP, expect, fail, fits, item, live, markupStayedText, now, restarted, run, visit as visitOf } from './browsers.mjs'

const PARTS = { chat, 'chat-restart': chatRestart, 'private-messages': privateMessages, 'who-is-online': whoIsOnline }

const [name, url, node, screenshot] = process.argv.slice(2)
if (!node || !PARTS[name]) fail(`usage: node examples.mjs ${Object.keys(PARTS).join('|')} <url> <node> [screenshot.png]`)

await run(name, PARTS[name])

async function chat() {
  now('Ann and Bob come in')
  const ann = await visit()
  const bob = await visit(undefined, { viewport: { width: 360, height: 740 }, colorScheme: 'dark' })
  const key = await comeIn(ann, 'Ann')
  await comeIn(bob, 'Bob')
  await item(ann, '#people', 'Bob').waitFor()
  await item(bob, '#people', 'Ann').waitFor()

  now('they talk')
  await say(ann, 'Hello, is anybody here?')
  await item(bob, '#messages', 'Ann').filter({ hasText: 'Hello, is anybody here?' }).waitFor()
  await bob.locator('[name=text]').pressSequentially('Yes')
  await ann.locator('#typing', { hasText: 'Bob is typing' }).waitFor()
  await say(bob, MARKUP)
  for (const page of [ann, bob]) await item(page, '#messages', MARKUP).waitFor()
  await ann.locator('#typing', { hasText: /^$/ }).waitFor()
  await bob.locator('#messages > li.mine', { hasText: 'Bob' }).waitFor()

  now('one whispers')
  await ann.locator('#people button', { hasText: 'Bob' }).click()
  await say(ann, 'A word to you alone')
  await item(bob, '#messages', 'A word to you alone').filter({ hasText: 'Ann, to you' }).waitFor()
  await item(ann, '#messages', 'A word to you alone').filter({ hasText: 'to Bob' }).waitFor()

  now('a third comes later')
  const late = await visit()
  await comeIn(late, 'Cleo')
  await item(late, '#messages', MARKUP).waitFor()
  const texts = await late.locator('#messages > li').allTextContents()
  expect(texts.length === 2 && texts[0].includes('Hello'), `the newcomer has both in their order, and no whisper: ${texts}`)
  for (const page of [ann, bob, late]) await markupStayedText(page)

  now('the third goes to another room')
  await late.getByRole('button', { name: 'kitchen' }).click()
  await item(ann, '#people', 'Cleo').waitFor({ state: 'detached' })
  await item(late, '#people', 'Cleo (you)').waitFor()
  expect(await late.locator('#messages > li').count() === 0, 'the kitchen is quiet')

  now('the same message is sent twice')
  const message = { room: 'kitchen', text: 'once', uuid: '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90' }
  for (const attempt of [1, 2]) expect((await send(ann, 'say', message)).status() === 204, `attempt ${attempt} is accepted`)
  await send(ann, 'say', { ...message, text: 'last', uuid: '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a91' })
  await item(late, '#messages', 'last').waitFor()
  expect(await late.locator('#messages > li').count() === 2, 'what was said twice with one UUID is there once')

  now('the server is asked for what it must refuse')
  const refused = [
    ['say', { ...message, room: 'cellar' }, 400], ['say', { ...message, text: ['x'] }, 400], ['say', { ...message, uuid: 'x' }, 400],
    ['say', { ...message, text: 'x'.repeat(2001) }, 400], ['whisper', { ...message, to: 1 }, 400], ['nothing', {}, 404],
  ]
  for (const [path, body, status] of refused) {
    const got = (await send(ann, path, body)).status()
    expect(got === status, `${path} ${JSON.stringify(body).slice(0, 80)} is refused with ${status}, not ${got}`)
  }
  const form = await ann.request.post(new URL('say', url).href, { form: message })
  expect(form.status() === 415, `a form of another site is refused, not ${form.status()}`)
  const stranger = await visit()
  expect((await send(stranger, 'say', message)).status() === 401, 'a stranger is refused')
  const forged = { Cookie: `chat_key=${key.slice(0, -2)}xx` }
  expect((await send(stranger, 'say', message, forged)).status() === 401, 'a forged token is refused')
  await fits(bob)
  await picture(ann)
  if (screenshot) await bob.screenshot({ path: screenshot.replace('.png', '-narrow.png') })

  now('Ann loads the page again, and logs out')
  await ann.reload()
  await live(ann)
  await item(ann, '#messages', 'Hello, is anybody here?').waitFor()
  await ann.getByRole('button', { name: 'Log out' }).click()
  await ann.getByRole('button', { name: 'Come in' }).waitFor()
  await item(bob, '#people', 'Ann').waitFor({ state: 'detached' })
}

async function chatRestart() {
  const [ann, bob] = [await visit(undefined, { quiet: false }), await visit(undefined, { quiet: false })]
  await comeIn(ann, 'Ann')
  await comeIn(bob, 'Bob')
  await item(ann, '#people', 'Bob').waitFor()
  await say(ann, 'Before')
  await item(bob, '#messages', 'Before').waitFor()
  now('the node is away')
  await restarted()
  now('both are back')
  for (const page of [ann, bob]) await item(page, '#messages', 'missed').filter({ hasText: 'Eve' }).waitFor()
  await live(ann)
  await item(ann, '#people', 'Bob').waitFor()
  await say(bob, 'After')
  await item(ann, '#messages', 'After').waitFor()
  const texts = await ann.locator('#messages > li').allTextContents()
  expect(texts.length === 3, `each message is there once, and no gap: ${texts}`)
}

/** Answers the token that the page has got. */
async function comeIn(page, who) {
  await page.getByLabel('Who are you?').fill(who)
  const answer = page.waitForResponse(response => response.url().endsWith('/login'))
  await page.getByRole('button', { name: 'Come in' }).click()
  const { key } = await (await answer).json()
  await live(page)
  return key
}

function send(page, path, body, headers = {}) {
  return page.request.post(new URL(path, url).href, { data: body, headers })
}

async function privateMessages() {
  now('Ada and Ben log in')
  const [ada, ben] = [await visit(), await visit()]
  for (const [page, who] of [[ada, 'Ada'], [ben, 'Ben']]) {
    await page.locator('[name=user]').selectOption(who)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('#me', { hasText: who }).waitFor()
    await live(page)
  }

  now('Ada writes to Ben')
  await ada.locator('[name=to]').selectOption('Ben')
  await say(ada, MARKUP)
  await item(ben, '#messages', MARKUP).filter({ hasText: 'Ada' }).waitFor()
  await item(ada, '#messages', 'to Ben').waitFor()

  now('Ben closes the page, Ada writes again')
  const context = ben.context()
  await watchUser(ada, 2)
  await ben.close()
  await ada.evaluate(() => window.userHasGone.then(() => true))
  await say(ada, 'Are you there?')
  await item(ada, '#messages', 'Are you there?').waitFor()
  now('Ben opens the page')
  const back = await visit(context)
  await item(back, '#messages', 'Are you there?').filter({ hasText: 'while you were away' }).waitFor()
  expect(await back.locator('#messages > li').count() === 1, 'what Ben has had does not come again')
  await markupStayedText(back)
  await picture(back)

  now('somebody else sends a form')
  const forged = { form_token: '0'.repeat(32), to: '2', text: 'x' }
  const answer = await ada.request.post(new URL('send.php', url).href, { form: forged })
  expect(answer.status() === 403, `a form without the token is refused, not ${answer.status()}`)

  now('Ada logs out')
  const other = await visit(ada.context())
  await live(other)
  await ada.getByRole('button', { name: 'Log out' }).click()
  await ada.getByRole('button', { name: 'Log in' }).waitFor()
  now('the other page of Ada is told so')
  await other.locator('#state', { hasText: 'logged out' }).waitFor()
}

async function whoIsOnline() {
  now('the first comes')
  const first = await visit()
  const me = await first.locator('#me').textContent()
  await item(first, '#here', `Visitor ${me} (you)`).waitFor()

  now('a second comes')
  const second = await visit()
  const other = await second.locator('#me').textContent()
  await item(first, '#here', other).waitFor()
  await item(second, '#here', me).waitFor()
  expect(await first.locator('#here > li').count() === 2, 'both are listed once')
  now('the tables are asked')
  const listed = await (await second.request.get(url)).text()
  expect(listed.includes(`data-user="${me}"`), 'the page lists who is there before any script runs')

  now('a third comes and the second goes')
  const third = await visit()
  await item(first, '#here', await third.locator('#me').textContent()).waitFor()
  await second.close()
  await item(first, '#seen', other).waitFor()
  await item(first, '#here', other).waitFor({ state: 'detached' })
  const late = await visit()
  await item(late, '#seen', other).filter({ has: late.locator('time', { hasText: /\d/ }) }).waitFor()
  await picture(first)

  now('the second is back')
  const back = await visit(second.context())
  expect(await back.locator('#me').textContent() === other, 'it is the same visitor')
  for (const page of [first, late]) {
    await item(page, '#here', other).waitFor()
    await item(page, '#seen', other).waitFor({ state: 'detached' })
  }
}

function visit(context, options = {}) {
  return visitOf(url, { hosts: [new URL(url).host, node], context, ...options })
}

// From now on `userHasGone` of the page waits for the user to be offline.
async function watchUser(page, user) {
  await page.evaluate(user => new Promise(watched => {
    const { node } = document.querySelector('[data-node]').dataset
    const watcher = cometql.connect({ node, tabs: false })
    window.userHasGone = new Promise(gone => {
      watcher.subscribe(`user_status_${user}`, { event: 'offline', onMessage: gone }).ready.then(() => watched())
    })
  }), user)
}

async function say(page, text) {
  await page.locator('[name=text]').fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

async function picture(page) {
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true })
}
