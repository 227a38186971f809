const { node, user: me, hash } = document.currentScript.dataset
const here = document.querySelector('#here')
const seen = document.querySelector('#seen')
const state = document.querySelector('#state')

const users = new Set(Array.from(document.querySelectorAll('li'), item => item.dataset.user))
seen.querySelectorAll('time').forEach(time => { time.textContent = clock(time.dateTime) })
let socket
connect()

function connect() {
  const letter = byte => 'abcdefghijklmnopqrstuvwxyz012345'[byte % 32]
  const uuid = Array.from(crypto.getRandomValues(new Uint8Array(32)), letter).join('')
  socket = new WebSocket(`ws://${node}/ws/sesion=${hash}&myid=${me}&devid=0&v=4.08&uuid=${uuid}&api=js`)
  socket.onopen = () => {
    subscribe()
    // The answer lists all who are here, this page included; what happens after it comes as events.
    socket.send('track_pipe_users\ntrack_site\n0')
  }
  socket.onmessage = frame => receive(JSON.parse(frame.data))
  socket.onclose = () => {
    show('connecting')
    setTimeout(connect, 1000 + 2000 * Math.random())
  }
}

// Replaces the subscription before it. Pipes that were in that one, too, are not left and joined again.
function subscribe() {
  const statuses = Array.from(users, user => `user_status_${user}`)
  socket.send(['subscription', 'track_site', ...statuses].join('\n'))
}

function receive({ pipe, event, data, authorized, message_send_time: seconds }) {
  if (event === 'serverInfo') show(authorized ? 'live' : 'not logged in')
  if (pipe === '_answer') {
    here.replaceChildren()
    data.forEach(come)
  }
  if (pipe === 'track_site' && event === 'subscription') come(data)
  if (pipe === 'track_site' && event === 'unsubscription') go(data)
  const user = pipe.match(/^user_status_(\d+)$/)?.[1]
  if (user) status(user, event, seconds)
}

// One page of a user; another window of the same user is another page.
function come({ user_id, uuid }) {
  const item = itemWith(here, 'uuid', uuid) ?? document.createElement('li')
  const isMe = String(user_id) === me
  item.dataset.uuid = uuid
  item.classList.toggle('mine', isMe)
  item.textContent = `Visitor ${user_id}${isMe ? ' (you)' : ''}`
  here.append(item)
  itemWith(seen, 'user', user_id)?.remove()
  if (users.has(String(user_id))) return
  users.add(String(user_id))
  subscribe()
}

function go({ uuid }) {
  itemWith(here, 'uuid', uuid)?.remove()
}

// The last page of a user has gone and has not come back at once, or the first has come.
function status(user, event, seconds) {
  itemWith(seen, 'user', user)?.remove()
  if (event !== 'offline') return
  const item = document.createElement('li')
  const time = document.createElement('time')
  item.dataset.user = user
  time.textContent = clock(seconds * 1000)
  item.append(time, `Visitor ${user}`)
  seen.prepend(item)
}

function itemWith(list, key, value) {
  return Array.from(list.children).find(item => item.dataset[key] === String(value))
}

function clock(time) {
  return new Date(time).toLocaleTimeString()
}

function show(word) {
  state.textContent = word
  state.className = word
}
