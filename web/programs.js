// ---- what to paste

const { mysqlPort, passwordPlace } = document.body.dataset
const everywhere = ['0.0.0.0', '::', '[::]', '']
const configuredHost = document.body.dataset.mysqlHost
const mysqlHost = everywhere.includes(configuredHost) ? location.hostname.replace(/[[\]]/g, '') : configuredHost

/** The SQL user of the tenant this page is in. */
function sqlUser() {
  return Number(comet?.options.dev_id ?? 0) ? String(comet.options.dev_id) : 'root'
}

/** The table that reaches this pipe, and its first value. */
function target() {
  const user = comet?.user ?? 7
  if (chosen === LOG) return { into: 'users_messages (id, event, message)', sql: String(user), program: String(user) }
  return { into: 'pipes_messages (name, event, message)', sql: `'${chosen}'`, program: chosen }
}

function needsUser() {
  return chosen === LOG || chosen.startsWith('private_')
}

function insert(values) {
  return `INSERT INTO ${target().into} VALUES (${values})`
}

function quoted(value, quote) {
  return chosen === LOG ? value : quote + value + quote
}

const programs = {
  mysql: {
    about: 'Paste it into a terminal.',
    lines: () => [
      `mysql -h ${mysqlHost} -P ${mysqlPort} -u ${sqlUser()} -p -e "${insert(target().sql + ", 'greeting', 'Hello from mysql'")}"`,
    ],
  },
  php: {
    about: 'Needs PHP 8.1 and its mysqli.',
    lines: () => [
      '<?php',
      `$password = '...'; // ${passwordPlace}`,
      `$db = new mysqli('${mysqlHost}', '${sqlUser()}', $password, null, ${mysqlPort});`,
      '$publish = $db->prepare(',
      `    '${insert('?, ?, ?')}');`,
      "$message = json_encode(['text' => 'Hello from PHP']);",
      `$publish->execute([${quoted(target().program, "'")}, 'greeting', $message]);`,
    ],
  },
  python: {
    about: 'Needs pip install pymysql.',
    lines: () => [
      'import json, pymysql',
      `password = "..."  # ${passwordPlace}`,
      `db = pymysql.connect(host="${mysqlHost}", port=${mysqlPort},`,
      `                     user="${sqlUser()}", password=password)`,
      'message = json.dumps({"text": "Hello from Python"})',
      'with db.cursor() as cursor:',
      '    cursor.execute(',
      `        "${insert('%s, %s, %s')}",`,
      `        (${quoted(target().program, '"')}, "greeting", message))`,
      'db.commit()',
    ],
  },
  page: {
    about: 'The node serves this script itself.',
    lines: () => [
      `<script src="${location.origin}/CometServerApi.js"><\/script>`,
      '<script>',
      'const comet = cometql.connect({',
      `  node: "${location.host}", dev_id: ${comet?.options.dev_id ?? 0}` + (needsUser() ? ',' : ''),
      ...needsUser() ? [`  user_id: ${comet?.user ?? 7}, user_key: "…"`] : [],
      '})',
      `comet.subscribe("${chosen}", {`,
      '  onMessage: ({event, data}) => console.log(event, data)',
      '})',
      '<\/script>',
    ],
  },
  here: { about: '', lines: () => [] },
}

const tabs = Array.from(document.querySelectorAll('[role=tab]'))
let language = 'mysql'

function showProgram() {
  byId('program').hidden = language === 'here'
  byId('publish').hidden = language !== 'here'
  byId('snippet').textContent = programs[language].lines().join('\n')
  byId('snippet').dataset.testid = language === 'mysql' ? 'mysql-line' : language + '-snippet'
  byId('snippet').classList.toggle('program', language !== 'mysql')
  byId('about').textContent = programs[language].about
  byId('login').hidden = language === 'page'
  byId('login').textContent = sqlUser() === 'root' ? `The SQL user is root; ${passwordPlace}.` : 'The password is that of the tenant.'
  byId('panel').setAttribute('aria-labelledby', 'tab-' + language)
  byId('copy').textContent = 'Copy'
  showPublishing()
  const someone = comet?.user ?? 7
  byId('key-line').textContent = `INSERT INTO users_auth (id, hash) VALUES (${someone}, '…')`
  for (const tab of tabs) {
    const isChosen = tab.id === 'tab-' + language
    tab.setAttribute('aria-selected', String(isChosen))
    tab.tabIndex = isChosen ? 0 : -1
  }
}

function chooseTab(tab) {
  language = tab.id.slice('tab-'.length)
  showProgram()
  tab.focus()
}

function walkTabs(event) {
  const at = { ArrowRight: tabs.indexOf(event.target) + 1, ArrowLeft: tabs.indexOf(event.target) - 1, Home: 0, End: -1 }[event.key]
  if (at === undefined) return
  event.preventDefault()
  chooseTab(tabs.at(at % tabs.length))
}

// Browsers lend the clipboard to https and localhost only; elsewhere the old way, and then the user's own keys.
async function copy() {
  const range = document.createRange()
  range.selectNodeContents(byId('snippet'))
  try {
    await navigator.clipboard.writeText(byId('snippet').textContent)
    byId('copy').textContent = 'Copied'
  } catch {
    getSelection().removeAllRanges()
    getSelection().addRange(range)
    byId('copy').textContent = document.execCommand('copy') ? 'Copied' : 'Selected: press Ctrl+C'
  }
  setTimeout(() => { byId('copy').textContent = 'Copy' }, 2500)
}

// ---- publishing from here

function webPipe() {
  return 'web_' + chosen.replace(/^(track|private)_/, '').slice(0, 60)
}

function showPublishing() {
  const may = MAY_PUBLISH.test(chosen)
  byId('may-not').hidden = may
  byId('may').hidden = !may
  byId('web-pipe').textContent = 'Subscribe to ' + webPipe()
}

function valueOf(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function publish(event) {
  event.preventDefault()
  const said = byId('published')
  said.classList.remove('bad')
  said.textContent = 'On its way …'
  try {
    const options = { event: byId('event').value, anonymous: !byId('anonymous-label').hidden && byId('anonymous').checked }
    const { receivers, position } = await comet.publish(chosen, valueOf(byId('message').value), options)
    const others = receivers === 1 ? 'one other connection' : receivers + ' other connections'
    said.textContent = 'Message ' + position[1] + ', to ' + others + ' and this one.'
  } catch (error) {
    said.classList.add('bad')
    said.textContent = error.message
  }
}

// ---- begin

byId('pipe').addEventListener('input', checkName)
byId('subscribe').addEventListener('submit', event => {
  event.preventDefault()
  if (!checkName()) return
  subscribe(byId('pipe').value.trim())
  byId('pipe').value = ''
  checkName()
})
byId('web-pipe').addEventListener('click', () => {
  subscribe(webPipe())
  byId('event').focus()
})
byId('publish').addEventListener('submit', publish)
byId('now').addEventListener('click', () => comet?.restart())
byId('clear').addEventListener('click', clear)
byId('filter').addEventListener('input', filter)
byId('copy').addEventListener('click', copy)
byId('read').addEventListener('click', readHistory)
byId('logout').addEventListener('click', logOut)
byId('credentials').addEventListener('submit', event => {
  event.preventDefault()
  logIn(byId('user').value, byId('key').value, Number(byId('tenant').value))
})
for (const tab of tabs) {
  tab.addEventListener('click', () => chooseTab(tab))
  tab.addEventListener('keydown', walkTabs)
}
addEventListener('hashchange', subscribeToHash)
byId('here').textContent = location.host

if (comet) {
  comet.on('state', showState)
  comet.on('frame', ({ frame }) => { if (frame.is === 'subscribed' && frame.position) stand(frame.pipe, frame.position) })
  comet.on('welcome', greet)
  comet.on('message', arrive)
  comet.on('gap', gap => {
    show(gapItem(gap))
    stand(gap.pipe, gap.to)
  })
  comet.on('error', ({ pipe: name, error }) => {
    const pipe = pipes.get(name)
    if (!pipe) return
    pipe.refused = error.message
    showPipes()
  })
  comet.start()
} else {
  showState({ name: 'refused', reason: 'CometServerApi.js could not be loaded' })
}
subscribeToHash()
if (!pipes.size) subscribe('hello')
checkName()
// How many listen to a pipe web_ is told to who asks.
setInterval(() => { if (!document.hidden && IS_COUNTED.test(chosen)) lookInside() }, 5000)
