// The first thing a newcomer does: open the page, run the INSERT, see the message.
//
//   node first_insert.mjs <http url> <mysql host> <mysql port> <password> [screenshot.png]
//
// Exits with 0 when every message arrived as it was sent, with 1 and the reason otherwise.

import { expect, fail, insert, live, markupStayedText, now, run, visit } from './browsers.mjs'

const PIPE = 'first-insert'

const MESSAGES = [
  { name: 'plain text', sent: 'Hello from mysql' },
  { name: 'an apostrophe and a backslash', sent: String.raw`it's in C:\temp` },
  { name: 'JSON with everything that is escaped', sent: JSON.stringify({ text: 'a "quote", an \'apostrophe\', a \\ and a\nnewline 🚀' }) },
  { name: 'JSON with every kind of value', sent: JSON.stringify({ list: [1, -2.5, 'three: "3"', true, null], empty: {} }) },
  { name: 'markup that must stay text', sent: '<img src=x onerror="window.markupRan = true">' },
]

const [url, host, port, password, screenshot] = process.argv.slice(2)
if (!password) fail('usage: node first_insert.mjs <http url> <mysql host> <mysql port> <password> [screenshot.png]')

await run('first INSERT', async () => {
  now(`opening ${url}`)
  const page = await visit(url)
  now('waiting until the page says live')
  await live(page)
  expect(!(await page.content()).includes(password), 'the page never shows the password')
  now('typing the name of a pipe')
  const line = page.locator('[data-testid=mysql-line]')
  expect((await line.textContent()).includes(`-P ${port} `), 'the line to paste names the port')
  await page.locator('[data-testid=pipe]').fill('no good')
  await page.locator('[data-testid=pipe][aria-invalid=true]').waitFor()
  await page.locator('[data-testid=pipe]').fill(PIPE)
  await page.locator('[data-testid=pipe]').press('Enter')
  await line.filter({ hasText: `'${PIPE}'` }).waitFor()
  // Who is subscribed has a position.
  await page.locator('[data-testid=position]', { hasText: /\d/ }).waitFor()

  for (const [index, { name, sent }] of MESSAGES.entries()) {
    now(`publishing ${name}`)
    await insert({ host, port, password }, PIPE, `event-${index}`, sent)
    now(`waiting for ${name}`)
    const newest = page.locator('[data-testid=messages] > li').filter({ hasText: `event-${index}` })
    await newest.waitFor()
    const shown = await newest.locator('pre').textContent()
    expect(shown === asShown(sent), `the page shows ${JSON.stringify(shown)} for ${JSON.stringify(sent)}`)
  }

  now('looking back')
  expect(await page.locator('[data-testid=messages] > li').count() === MESSAGES.length, 'each message is shown once')
  await markupStayedText(page)
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true })
})

// The page indents JSON.
function asShown(sent) {
  try {
    return JSON.stringify(JSON.parse(sent), null, 2)
  } catch {
    return sent
  }
}
