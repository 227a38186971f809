const { node } = document.currentScript.dataset
const list = document.querySelector('#messages')
const state = document.querySelector('#state')
const form = document.querySelector('#say')

connect()

function connect() {
  const letter = byte => 'abcdefghijklmnopqrstuvwxyz012345'[byte % 32]
  const uuid = Array.from(crypto.getRandomValues(new Uint8Array(32)), letter).join('')
  const socket = new WebSocket(`ws://${node}/ws/sesion=&myid=0&devid=0&v=4.08&uuid=${uuid}&api=js`)
  socket.onopen = () => {
    socket.send('subscription\nchat')
    // What was said before, and while the connection was away.
    socket.send('pipe_log\nchat\n0\n')
  }
  socket.onmessage = frame => receive(JSON.parse(frame.data))
  socket.onclose = () => {
    show('connecting')
    setTimeout(connect, 1000 + 2000 * Math.random())
  }
}

function receive(message) {
  if (message.event === 'serverInfo') show('live')
  if (message.pipe !== 'chat') return
  const { id, name, text } = JSON.parse(message.data)
  if (document.getElementById(id)) return
  const item = document.createElement('li')
  const author = document.createElement('b')
  const time = document.createElement('time')
  item.id = id
  item.classList.toggle('mine', name === form.elements.name.value)
  author.textContent = name
  time.textContent = new Date(message.message_send_time * 1000).toLocaleTimeString([], { timeStyle: 'short' })
  // `append` takes strings as text: markup in a message stays what it is.
  item.append(time, author, text)
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
