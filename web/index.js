'use strict'

const byId = id => document.getElementById(id)
const MESSAGES_MAX = 200
const SHOWN_CHARACTERS_MAX = 20000
const HISTORY_MAX = 50
const USERS_MAX = 200
const LOG = 'msg'
const IS_COUNTED = /^(web|track)_/
const IS_TRACKED = /^track_/
const MAY_PUBLISH = /^(web|webauth)_/
const STATUS_OF_USER = /^user_status_(\d+)$/

// A connection of its own: this page logs in and out, and other pages of the browser need not.
const comet = globalThis.cometql ? new cometql.Comet({ tabs: false }) : undefined

// ---- the pipes

const NAME = /^[A-Za-z0-9_-]{2,64}$/
/** By their names: what has been heard of each that is subscribed. */
const pipes = new Map()
let chosen = ''

function complaint(name) {
  if (NAME.test(name)) return ''
  if (/[^A-Za-z0-9_-]/.test(name)) return 'A pipe name has only letters A–Z, digits, _ and -; this is not one yet.'
  return 'A pipe name has 2 to 64 characters.'
}

function advice(name) {
  if (name === '') return 'For example news, web_chat or track_visitors.'
  if (name.length < 3) return 'SQL publishes to names of 3 characters or more.'
  if (name === LOG) return 'What is sent to the user that you log in as.'
  if (name.startsWith('private_')) return 'Only who has logged in hears private_ pipes.'
  if (name.startsWith('webauth_')) return 'Pages of users who have logged in may publish here.'
  if (name.startsWith('web_')) return 'Pages may publish here, too: choose Here below.'
  if (IS_TRACKED.test(name)) return 'It tells who comes and goes.'
  if (STATUS_OF_USER.test(name)) return 'It tells when this user comes and goes.'
  return 'Letters A–Z, digits, _ and -; 2 to 64 of them.'
}

function checkName() {
  const name = byId('pipe').value.trim()
  const wrong = name && complaint(name)
  byId('pipe').setAttribute('aria-invalid', String(wrong !== ''))
  byId('hint').classList.toggle('bad', wrong !== '')
  byId('hint').textContent = wrong || advice(name)
  return name !== '' && !wrong
}

function subscribe(name) {
  if (!pipes.has(name)) {
    const subscription = comet?.subscribe(name, { onMessage() {} })
    pipes.set(name, { subscription, heard: 0, position: undefined, refused: '' })
  }
  choose(name)
}

function unsubscribe(name) {
  pipes.get(name)?.subscription?.close()
  pipes.delete(name)
  if (chosen === name) choose(pipes.keys().next().value ?? 'hello')
  else showPipes()
}

function choose(name) {
  chosen = name
  for (const place of document.querySelectorAll('.chosen')) place.textContent = name
  showPipes()
  byId('published').textContent = ''
  showProgram()
  forgetInside()
  lookInside()
}

function stand(name, position) {
  const pipe = pipes.get(name)
  if (pipe && position) pipe.position = position
  if (name === chosen) byId('position').textContent = position ? position[1] : '–'
  if (name === chosen) byId('position').title = position ? 'Message ' + position[1] + ' of epoch ' + position[0] : ''
}

function showPipes() {
  const names = Array.from(pipes.keys())
  const focused = document.activeElement?.closest('#pipes li')?.dataset.pipe
  const rows = names.map(name => rowOf(name, pipes.get(name)))
  byId('pipes').replaceChildren(...rows)
  rows.find(row => row.dataset.pipe === focused)?.firstChild.focus()
  const own = names.filter(name => name !== LOG)
  history.replaceState(null, '', '#pipe=' + own.join(','))
}

function rowOf(name, pipe) {
  const row = element('li')
  row.dataset.pipe = name
  const choice = element('button', undefined, 'choose')
  choice.type = 'button'
  choice.setAttribute('aria-pressed', String(name === chosen))
  choice.append(element('code', name), element('span', pipe.heard || ''))
  choice.onclick = () => choose(name)
  const leave = element('button', '×')
  leave.type = 'button'
  leave.setAttribute('aria-label', 'Unsubscribe from ' + name)
  leave.title = 'Unsubscribe'
  leave.onclick = () => {
    unsubscribe(name)
    byId('pipe').focus()
  }
  row.append(choice, leave)
  if (pipe.refused) row.append(element('p', pipe.refused, 'bad'))
  return row
}

function subscribeToHash() {
  const names = new URLSearchParams(location.hash.slice(1)).get('pipe')?.split(',').filter(name => NAME.test(name))
  for (const name of names ?? []) if (!pipes.has(name)) subscribe(name)
}

// ---- the connection

let lostAt = 0

const STATES = {
  connecting: () => 'connecting',
  live: () => 'live',
  waiting: ({ reason }) => 'reconnecting' + (reason ? ': ' + reason : ''),
  offline: () => 'offline: this computer has no network',
  refused: ({ reason }) => 'refused: ' + reason,
  stopped: () => 'stopped',
}

function showState(state) {
  byId('state').dataset.state = state.name
  byId('state').textContent = STATES[state.name]?.(state) ?? state.name
  byId('now').hidden = !['waiting', 'refused', 'stopped'].includes(state.name)
  if (state.name === 'waiting' && !lostAt && comet.user !== undefined) {
    lostAt = Date.now()
    show(turn('The connection is lost.'))
  }
  if (state.name !== 'live') return
  if (lostAt) show(turn('Connected again. What was missed is above.'))
  lostAt = 0
  lookInside()
}

function turn(text) {
  const made = element('li', undefined, 'turn')
  made.append(text + ' ', clock(new Date()))
  return made
}

// ---- messages

let total = 0
let waiting = []

function element(tag, content, className) {
  const made = document.createElement(tag)
  if (content !== undefined) made.textContent = content
  if (className) made.className = className
  return made
}

function clock(date) {
  const time = element('time', date.toLocaleTimeString())
  time.dateTime = date.toISOString()
  time.title = date.toLocaleString()
  return time
}

function text(data) {
  const body = typeof data === 'string' ? data : JSON.stringify(data, null, 2)
  const more = body.length - SHOWN_CHARACTERS_MAX
  return more > 0 ? body.slice(0, SHOWN_CHARACTERS_MAX) + '\n… and ' + more + ' characters more' : body
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** JSON in colours, and a text as it is. */
function body(data) {
  const shown = text(data)
  const made = element('pre')
  if (typeof data !== 'object' || data === null) return (made.textContent = shown, made)
  let end = 0
  for (const token of shown.matchAll(TOKEN)) {
    const [whole, string, colon] = token
    const name = string ? (colon ? 'key' : 'string') : 'number-value'
    made.append(shown.slice(end, token.index), element('span', string ?? whole, name), colon ?? '')
    end = token.index + whole.length
  }
  made.append(shown.slice(end))
  return made
}

function item({ pipe, event, data, position, time, user, own, history: isOfHistory }) {
  const row = element('div', undefined, 'row')
  const number = element('span', '#' + position[1], 'number')
  number.title = 'Message ' + position[1] + ' of epoch ' + position[0]
  row.append(element('b', event || 'no event'))
  if (!isOfHistory) row.append(element('code', pipe))
  if (user) row.append(element('span', 'from user ' + user, 'tag'))
  if (own) row.append(element('span', 'from this page', 'tag'))
  row.append(clock(time ?? new Date()), number)
  const made = element('li', undefined, 'item')
  made.append(row, body(data))
  return made
}

function gapItem({ pipe, from, to }) {
  const count = from && from[0] === to[0] ? to[1] - from[1] : undefined
  const before = count === undefined ? 'Gap: messages of ' : count === 1 ? 'Gap: one message of ' : 'Gap: ' + count + ' messages of '
  const after = count === undefined ? ' may be missing here.' : ' did not reach this page.'
  const made = element('li', undefined, 'gap')
  made.append(before, element('code', pipe), after + ' It goes on behind #' + to[1] + '.')
  return made
}

function arrive(message) {
  const pipe = pipes.get(message.pipe)
  if (!pipe) return
  pipe.heard++
  total++
  stand(message.pipe, message.position)
  if (IS_TRACKED.test(message.pipe) || STATUS_OF_USER.test(message.pipe)) lookInsideSoon(message.pipe)
  show(message)
}

// However many arrive, the list is drawn once a frame and never longer than it may be.
function show(what) {
  if (waiting.push(what) === 1) requestAnimationFrame(draw)
  if (waiting.length > MESSAGES_MAX) waiting.splice(0, waiting.length - MESSAGES_MAX)
}

function draw() {
  const list = byId('messages')
  list.prepend(...waiting.reverse().map(what => what instanceof Node ? what : item(what)))
  waiting = []
  while (list.children.length > MESSAGES_MAX) list.lastChild.remove()
  showCount()
  filter()
  for (const row of byId('pipes').children) row.querySelector('span').textContent = pipes.get(row.dataset.pipe)?.heard || ''
}

function showCount() {
  const isEmpty = !byId('messages').firstChild
  byId('count').textContent = total > MESSAGES_MAX ? total + ', the last ' + MESSAGES_MAX + ' are shown' : total || ''
  byId('empty').hidden = !isEmpty
  for (const id of ['messages', 'clear', 'filter']) byId(id).hidden = isEmpty
}

function filter() {
  const wanted = byId('filter').value.toLowerCase()
  for (const row of byId('messages').children) row.hidden = wanted !== '' && !row.textContent.toLowerCase().includes(wanted)
}

function clear() {
  total = 0
  waiting = []
  byId('filter').value = ''
  byId('messages').replaceChildren()
  showCount()
}

// ---- inside the chosen pipe

let looking = 0

function forgetInside() {
  stand(chosen, pipes.get(chosen)?.position)
  byId('subscribers').textContent = IS_COUNTED.test(chosen) ? '…' : 'only web_ and track_ tell'
  byId('present').hidden = !IS_TRACKED.test(chosen)
  byId('seen-line').hidden = !STATUS_OF_USER.test(chosen)
  byId('users').replaceChildren()
  byId('kept').textContent = ''
  byId('history').hidden = byId('keep').hidden = true
}

async function lookInside() {
  const name = chosen
  if (comet?.state.name !== 'live') return
  try {
    const count = IS_COUNTED.test(name) ? await comet.count(name) : undefined
    const users = IS_TRACKED.test(name) ? await comet.users(name) : []
    const user = STATUS_OF_USER.exec(name)?.[1]
    const seen = user && await comet.seen(Number(user))
    if (name !== chosen) return
    if (count !== undefined) byId('subscribers').textContent = count === 1 ? '1 connection' : count + ' connections'
    byId('users').replaceChildren(...users.slice(0, USERS_MAX).map(userItem))
    if (seen) byId('seen').textContent = seen.seenAt ? 'offline since ' + seen.seenAt.toLocaleString() : seen.status
  } catch (error) {
    if (name === chosen) byId('subscribers').textContent = error.message
  }
}

function lookInsideSoon(name) {
  if (name !== chosen) return
  clearTimeout(looking)
  looking = setTimeout(lookInside, 100)
}

function userItem({ user, uuid }) {
  const isMe = uuid === comet.uuid
  const made = element('li', (user === null ? 'somebody' : 'user ' + user) + (isMe ? ' (this browser)' : ''), isMe ? 'me' : '')
  made.title = uuid
  return made
}

async function readHistory() {
  const name = chosen
  byId('kept').textContent = 'Reading …'
  try {
    const messages = await comet.history(name, { last: HISTORY_MAX })
    if (name !== chosen) return
    const found = messages.length > 0
    byId('kept').textContent = found ? 'The newest ' + messages.length + ', the last first.' : 'Nothing.'
    if (!found && name !== LOG) byId('kept').textContent += ' This makes it keep its newest 100:'
    byId('keep').textContent = `INSERT INTO pipes_settings (name, length) VALUES ('${name}', 100)`
    byId('history').replaceChildren(...messages.reverse().map(message => item(message)))
    byId('history').hidden = !found
    byId('keep').hidden = found || name === LOG
  } catch (error) {
    if (name === chosen) byId('kept').textContent = error.message
  }
}

// ---- who we are

let wanted = ''

function logIn(user, key, tenant) {
  wanted = user
  byId('authorized').classList.remove('bad')
  byId('authorized').textContent = 'Connecting …'
  comet.restart({ dev_id: tenant, user_id: user || undefined, user_key: key || undefined })
  for (const pipe of pipes.values()) pipe.position = undefined
  choose(chosen)
}

function logOut() {
  byId('user').value = byId('key').value = ''
  logIn('', '', Number(byId('tenant').value))
}

function greet(user) {
  const tenant = Number(comet.options.dev_id ?? 0)
  const whose = tenant ? ' of tenant ' + tenant : ''
  const isWrong = user === null && wanted !== ''
  byId('authorized').classList.toggle('bad', isWrong)
  byId('authorized').textContent = isWrong ? 'The node does not accept this key for user ' + wanted + '.'
    : user === null ? 'This page is nobody in particular' + whose + '.'
    : 'This page is user ' + user + whose + '. Private messages arrive in the pipe ' + LOG + '.'
  byId('who').hidden = user === null && !tenant
  byId('who').textContent = (user === null ? 'nobody' : 'user ' + user) + whose
  byId('logout').hidden = user === null
  byId('anonymous-label').hidden = user === null
  for (const pipe of pipes.values()) pipe.refused = ''
  if (user === null && pipes.has(LOG)) unsubscribe(LOG)
  if (user !== null && !pipes.has(LOG)) subscribe(LOG)
  showPipes()
  showProgram()
}
