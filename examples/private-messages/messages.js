const { node, user, hash } = document.currentScript.dataset
const list = document.querySelector('#messages')
const state = document.querySelector('#state')
const form = document.querySelector('#write')
const opened = Date.now()

const comet = cometql.connect({ node, user_id: user, user_key: hash })
// What is sent to this user, also what has waited while no device of his was there.
comet.subscribe('msg', { onMessage: receive })
comet.on('state', ({ name }) => show(name === 'refused' ? 'logged out' : name))
comet.on('welcome', user => { if (user === null) show('logged out') })

function receive({ event, data: { from, to, text }, time: sent }) {
  const isMine = event === 'sent'
  const item = document.createElement('li')
  const who = document.createElement('b')
  const time = document.createElement('time')
  item.classList.toggle('mine', isMine)
  who.textContent = isMine ? `to ${to}` : from
  time.textContent = sent.toLocaleTimeString([], { timeStyle: 'short' })
  if (sent < opened) time.prepend('while you were away, ')
  // `append` takes strings as text: markup in a message stays what it is.
  item.append(time, who, text)
  list.append(item)
  list.scrollTop = list.scrollHeight
}

function show(word) {
  state.textContent = word === 'logged out' ? 'logged out: load the page and log in again' : word
  state.className = word
}

form.onsubmit = async event => {
  event.preventDefault()
  const answer = await fetch(form.action, { method: 'POST', body: new FormData(form) })
  if (!answer.ok) return alert(await answer.text())
  form.elements.text.value = ''
}
