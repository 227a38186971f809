const { node } = document.currentScript.dataset
const part = id => document.getElementById(id)
const names = new Map()
let comet, me, room, leaving, typedAt = 0

fetch('me').then(begin)

async function begin(answer) {
  me = answer.ok ? await answer.json() : null
  part('login').hidden = me !== null
  part('chat').hidden = part('logout').hidden = me === null
  if (!me) return
  part('me').textContent = me.name
  comet = cometql.connect({ node, user_id: me.user, user_key: me.key })
  comet.on('state', ({ name }) => {
    part('state').textContent = part('state').className = name
    if (name === 'live' && room) people()
  })
  comet.subscribe('msg', { event: 'whisper', onMessage: show })
  enter(me.rooms.includes(location.hash.slice(1)) ? location.hash.slice(1) : me.rooms[0])
}

function enter(name) {
  leaving?.abort()
  leaving = new AbortController()
  const { signal } = leaving
  room = location.hash = name
  part('messages').replaceChildren()
  part('typing').textContent = ''
  part('rooms').replaceChildren(...me.rooms.map(name => element('button', name, { onclick: () => enter(name), ariaCurrent: String(name === room) })))
  // First what the pipe keeps, then what comes. After a lost connection the client fetches what was missed.
  comet.subscribe(`private_room_${room}`, { last: 50, signal, onMessage: show, onGap: () => add(['Some messages are missing here.']) })
  comet.subscribe(`webauth_typing_${room}`, { signal, onMessage: typing })
  comet.subscribe(`track_room_${room}`, { signal, onMessage: people }).ready.then(people, () => {})
}

function show({ event, data: { from, name, to_name, text }, time }) {
  const [isMine, isWhisper] = [from === me.user, event === 'whisper']
  const who = element('b', !isWhisper ? name : isMine ? `to ${to_name}` : `${name}, to you`)
  add([element('time', time.toLocaleTimeString([], { timeStyle: 'short' })), who, text], { mine: isMine, whisper: isWhisper })
  if (typing.user === from) part('typing').textContent = ''
}

function add(content, classes = {}) {
  const item = element('li')
  // `append` takes strings as text: markup in a message stays what it is.
  item.append(...content)
  for (const name in classes) item.classList.toggle(name, classes[name])
  part('messages').append(item)
  part('messages').scrollTop = part('messages').scrollHeight
}

function element(tag, text = '', more = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...more })
}

/** Who is in the room: a user with two browsers is there twice. */
async function people() {
  const asked = room
  const connections = await comet.users(`track_room_${room}`).catch(() => [])
  const users = Array.from(new Set(connections.map(({ user }) => user))).filter(user => user !== null)
  await Promise.all(users.map(nameOf))
  if (asked !== room) return
  const others = users.filter(user => user !== me.user)
  part('people').replaceChildren(...users.map(user => {
    const item = element('li', user === me.user ? `${me.name} (you)` : '')
    const onclick = () => { part('to').value = user; part('say').elements.text.focus() }
    if (user !== me.user) item.append(element('button', names.get(user), { onclick }))
    return item
  }))
  const chosen = Number(part('to').value)
  const choices = others.map(user => new Option(`Only ${names.get(user)}`, user, false, user === chosen))
  part('to').replaceChildren(new Option('Everybody', ''), ...choices)
}

/** The backend has stored it in `users_data`. */
async function nameOf(user) {
  if (!names.has(user)) names.set(user, await comet.userData(user).catch(() => `user ${user}`))
  return names.get(user)
}

async function typing({ user, own }) {
  if (own || user === me.user) return
  part('typing').textContent = `${await nameOf(user)} is typing …`
  typing.user = user
  clearTimeout(typing.end)
  typing.end = setTimeout(() => { part('typing').textContent = '' }, 4000)
}

/** Sent again with the same UUID when no answer was heard, it is said once all the same. */
async function post(path, body, attempts = 3) {
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(path, options).catch(error => { if (attempts === 1) throw error })
  return answer ?? post(path, body, attempts - 1)
}

part('login').onsubmit = event => {
  event.preventDefault()
  post('login', { name: part('name').value }).then(begin)
}
part('logout').onclick = () => post('logout', {}).then(() => location.reload())
part('say').oninput = () => {
  if (part('to').value || Date.now() - typedAt < 2000) return
  typedAt = Date.now()
  comet.publish(`webauth_typing_${room}`, true, { event: 'typing' })
}
part('say').onsubmit = async event => {
  event.preventDefault()
  const field = part('say').elements.text
  const [text, to, uuid] = [field.value, Number(part('to').value), crypto.randomUUID()]
  field.value = ''
  typedAt = 0
  const answer = await (to ? post('whisper', { to, text, uuid }) : post('say', { room, text, uuid })).catch(() => undefined)
  if (answer?.ok) return
  field.value = text
  add([answer ? await answer.text() : 'There is no answer: try again.'])
}
