const { node, user: me, hash } = document.currentScript.dataset
const here = document.querySelector('#here')
const seen = document.querySelector('#seen')
const state = document.querySelector('#state')
const watched = new Set()

const comet = cometql.connect({ node, user_id: me, user_key: hash })
comet.on('state', ({ name }) => {
  state.textContent = state.className = name
  // What happened while the connection was away is not told as events: the list is asked for.
  if (name === 'live') list()
})
comet.subscribe('track_site', { onMessage: ({ event, data }) => (event === 'subscription' ? come : go)(data) })
for (const item of document.querySelectorAll('li')) watch(item.dataset.user)
for (const time of seen.querySelectorAll('time')) time.textContent = clock(time.dateTime)

async function list() {
  const users = await comet.users('track_site')
  here.replaceChildren()
  for (const { user, uuid } of users) come({ user_id: user, uuid })
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
  watch(String(user_id))
}

function go({ uuid }) {
  itemWith(here, 'uuid', uuid)?.remove()
}

function watch(user) {
  if (watched.has(user)) return
  watched.add(user)
  comet.subscribe(`user_status_${user}`, { onMessage: ({ event, time }) => status(user, event, time) })
}

// The last page of a user has gone and has not come back at once, or the first has come.
function status(user, event, when) {
  itemWith(seen, 'user', user)?.remove()
  if (event !== 'offline') return
  const item = document.createElement('li')
  const time = document.createElement('time')
  item.dataset.user = user
  time.textContent = clock(when)
  item.append(time, `Visitor ${user}`)
  seen.prepend(item)
}

function itemWith(list, key, value) {
  return Array.from(list.children).find(item => item.dataset[key] === String(value))
}

function clock(time) {
  return new Date(time).toLocaleTimeString()
}
