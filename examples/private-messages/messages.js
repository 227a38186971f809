const { node, user, hash } = document.currentScript.dataset
const list = document.querySelector('#messages')
const state = document.querySelector('#state')
const form = document.querySelector('#write')

connect()

function connect() {
  const letter = byte => 'abcdefghijklmnopqrstuvwxyz012345'[byte % 32]
  const uuid = Array.from(crypto.getRandomValues(new Uint8Array(32)), letter).join('')
  const socket = new WebSocket(`ws://${node}/ws/sesion=${hash}&myid=${user}&devid=0&v=4.08&uuid=${uuid}&api=js`)
  socket.onmessage = frame => receive(JSON.parse(frame.data))
  socket.onclose = () => {
    show('connecting')
    setTimeout(connect, 1000 + 2000 * Math.random())
  }
}

// Private messages need no subscription: they come by themselves, from a pipe that is called `msg`.
function receive(message) {
  if (message.event === 'serverInfo') show(message.authorized ? 'live' : 'logged out: load the page and log in again')
  if (message.pipe !== 'msg') return
  const { from, to, text } = JSON.parse(message.data)
  const isMine = message.event === 'sent'
  const item = document.createElement('li')
  const who = document.createElement('b')
  const time = document.createElement('time')
  item.classList.toggle('mine', isMine)
  who.textContent = isMine ? `to ${to}` : from
  time.textContent = new Date(message.message_send_time * 1000).toLocaleTimeString([], { timeStyle: 'short' })
  if (message.fromQueue) time.prepend('while you were away, ')
  // `append` takes strings as text: markup in a message stays what it is.
  item.append(time, who, text)
  list.append(item)
  list.scrollTop = list.scrollHeight
}

function show(word) {
  state.textContent = word
  state.className = word
}

form.onsubmit = async event => {
  event.preventDefault()
  const answer = await fetch(form.action, { method: 'POST', body: new FormData(form) })
  if (!answer.ok) return alert(await answer.text())
  form.elements.text.value = ''
}
