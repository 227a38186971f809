// The console at `/`, used as an operator would.
//
//   node console.mjs pipes|people|tenant|restart <http url> <mysql host> <mysql port> <password>
//
// During `restart` somebody publishes `missed` while the page is away. Screenshots go to target/console-*.png.

import { MARKUP, expect, fail, fits, insert, item, live, markupStayedText, now, query, restarted, run, visit } from './browsers.mjs'

const PARTS = { pipes, people, tenant, restart }
const [name, url, host, port, password] = process.argv.slice(2)
if (!password || !PARTS[name]) fail(`usage: node console.mjs ${Object.keys(PARTS).join('|')} <url> <host> <port> <password>`)
const sql = { host, port, password }

await run(`console: ${name}`, PARTS[name])

async function pipes() {
  now('two open the page')
  const [one, other] = [await opened({ viewport: { width: 1440, height: 900 } }), await opened({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' })]
  now('they subscribe')
  for (const page of [one, other]) for (const pipe of ['news', 'web_talk']) await subscribe(page, pipe)
  expect((await one.evaluate(() => location.hash)) === '#pipe=hello,news,web_talk', 'the address remembers the pipes')

  now('both hear an INSERT')
  await insert(sql, 'news', 'headline', '{"title": "It is raining", "markup": "<b>"}')
  for (const page of [one, other]) await item(page, '#messages', 'headline').filter({ hasText: '"title": "It is raining"' }).waitFor()

  now('the programs, by keyboard')
  await one.getByRole('tab', { name: 'mysql' }).focus()
  await one.keyboard.press('ArrowRight')
  await one.getByRole('tabpanel', { name: 'PHP' }).filter({ hasText: "'web_talk'" }).waitFor()
  await one.keyboard.press('End')

  now('the one publishes to a web_ pipe, the other hears it')
  await one.getByLabel('Event').fill('say')
  await one.getByLabel('Message, a text or JSON').fill(MARKUP)
  await one.getByRole('button', { name: 'Publish', exact: true }).click()
  await one.locator('#published', { hasText: 'to one other connection and this one' }).waitFor()
  await item(other, '#messages', MARKUP).waitFor()
  await item(one, '#messages', MARKUP).filter({ hasText: 'from this page' }).waitFor()
  await markupStayedText(other)
  await one.locator('[data-testid=subscribers]', { hasText: '2 connections' }).waitFor()

  now('a pipe that pages may not publish to')
  await one.locator('#pipes .choose', { hasText: 'news' }).click()
  await one.getByRole('button', { name: 'Subscribe to web_news' }).click()
  await one.locator('#pipes [aria-pressed=true]', { hasText: 'web_news' }).waitFor()

  now('filtering and unsubscribing')
  await one.getByLabel('Show only messages with this text').fill('raining')
  await item(one, '#messages', MARKUP).waitFor({ state: 'hidden' })
  await item(one, '#messages', 'headline').waitFor()
  await one.getByLabel('Show only messages with this text').fill('')
  await one.getByRole('button', { name: 'Unsubscribe from web_news' }).click()
  expect(await one.locator('#pipes > li').count() === 3, 'the pipe is gone from the list')

  now('reading the history')
  await one.locator('#pipes .choose', { hasText: 'news' }).click()
  await one.getByRole('button', { name: 'Read' }).click()
  await one.locator('#keep', { hasText: "VALUES ('news', 100)" }).waitFor()
  await query(sql, await one.locator('#keep').textContent())
  await insert(sql, 'news', 'kept', 'the first')
  await insert(sql, 'news', 'kept', 'the second')
  await one.getByRole('button', { name: 'Read' }).click()
  await item(one, '#history', 'the second').waitFor()
  const kept = await one.locator('#history > li').allTextContents()
  expect(kept.length === 2 && kept[0].includes('the second'), `the newest is first: ${kept}`)
  await pictures(one, other)
}

async function people() {
  now('who is on a track_ pipe')
  const [one, other] = [await opened({ colorScheme: 'dark', viewport: { width: 1440, height: 900 } }), await opened({ viewport: { width: 360, height: 740 } })]
  await subscribe(one, 'track_hall')
  await item(one, '#users', 'somebody (this browser)').waitFor()
  await query(sql, "INSERT INTO users_auth (id, hash) VALUES (7, 'f00d')")

  now('the other logs in with a wrong key')
  await logIn(other, '7', 'wrong')
  await other.locator('#authorized.bad', { hasText: 'does not accept this key' }).waitFor()
  now('the other logs in')
  await logIn(other, '7', 'f00d')
  await other.locator('#who', { hasText: 'user 7' }).waitFor()
  await subscribe(other, 'private_hall')
  await subscribe(other, 'track_hall')
  now('the one sees the other')
  await item(one, '#users', 'user 7').waitFor()
  await one.locator('[data-testid=subscribers]', { hasText: '2 connections' }).waitFor()

  now('private messages')
  await query(sql, "INSERT INTO users_messages (id, event, message) VALUES (7, 'note', 'only for you')")
  await item(other, '#messages', 'only for you').waitFor()
  await insert(sql, 'private_hall', 'secret', 'for members')
  await item(other, '#messages', 'for members').waitFor()
  await subscribe(one, 'private_hall', false)
  await one.locator('#pipes li', { hasText: 'private_hall' }).locator('.bad').waitFor()
  expect(await item(one, '#messages', 'only for you').count() === 0, 'nobody else hears it')

  now('the one asks when the other was here')
  await subscribe(one, 'user_status_7')
  await one.locator('#seen', { hasText: 'online' }).waitFor()
  await pictures(one, other)
  now('the other logs out')
  await other.getByRole('button', { name: 'Log out' }).click()
  await other.locator('#authorized', { hasText: 'nobody in particular' }).waitFor()
  await one.locator('#seen', { hasText: 'offline since' }).waitFor()
  await one.locator('#pipes .choose', { hasText: 'track_hall' }).click()
  await item(one, '#users', 'user 7').waitFor({ state: 'detached' })
}

async function tenant() {
  const page = await opened()
  now('entering another tenant')
  await page.getByLabel('Tenant').fill('5')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('#who', { hasText: 'nobody of tenant 5' }).waitFor()
  await page.locator('[data-testid=mysql-line]', { hasText: ' -u 5 ' }).waitFor()
  await page.locator('[data-testid=position]', { hasText: /\d/ }).waitFor()
  await insert(sql, 'hello', 'foreign', 'of tenant 0')
  await query(sql, "USE db_5; INSERT INTO pipes_messages (name, event, message) VALUES ('hello', 'own', 'of tenant 5')")
  await item(page, '#messages', 'of tenant 5').waitFor()
  expect(await page.locator('#messages > li').count() === 1, 'what another tenant says is not heard')
}

async function restart() {
  const page = await opened({ quiet: false })
  await query(sql, "INSERT INTO pipes_settings (name, length) VALUES ('kept', 10)")
  await subscribe(page, 'kept')
  await insert(sql, 'kept', 'before', 'seen')
  await item(page, '#messages', 'seen').waitFor()
  now('the node is away, and publishes while the page is')
  await restarted()
  now('the page connects again')
  await item(page, '#messages', 'while_away').waitFor()
  await live(page)
  await insert(sql, 'kept', 'after', 'live again')
  await item(page, '#messages', 'live again').waitFor()
  await item(page, '#messages', 'Connected again').waitFor()
  const numbers = await page.locator('#messages .number').allTextContents()
  expect(numbers.join() === '#3,#2,#1', `each message once, and none is missing: ${numbers}`)
  const gaps = await page.locator('#messages .gap code').allTextContents()
  expect(gaps.join() === 'hello', `a gap is shown of the pipe that is not kept, and of no other: ${gaps}`)

  await page.screenshot({ path: 'target/console-restart.png', fullPage: true })
}

async function opened(options) {
  const page = await visit(url, options)
  await live(page)
  return page
}

async function subscribe(page, pipe, isAllowed = true) {
  await page.locator('[data-testid=pipe]').fill(pipe)
  await page.locator('[data-testid=pipe]').press('Enter')
  await page.locator('#pipes [aria-pressed=true]', { hasText: pipe }).waitFor()
  if (isAllowed) await page.locator('[data-testid=position]', { hasText: /\d/ }).waitFor()
}

async function logIn(page, user, key) {
  await page.getByLabel('User id').fill(user)
  await page.getByLabel('Key, a hash or a token').fill(key)
  await page.getByRole('button', { name: 'Log in' }).click()
}

async function pictures(wide, narrow) {
  for (const [page, width] of [[wide, 'wide'], [narrow, 'narrow']]) {
    await fits(page)
    await page.screenshot({ path: `target/console-${name}-${width}.png`, fullPage: true })
  }
}
