// What is asked of every client, for the Node scripts: publish, query, batch, reset, be refused.
//
//   node with_<client>.mjs <host> <port> <password> <pipe>
//
// The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
// the script.

import { isDeepStrictEqual } from 'node:util'

export const [host, port, password, pipe] = process.argv.slice(2)

// As tests/matrix.rs hears it.
export const event = 'published'
export const text = String.raw`{"text":"it's \"quoted\", a \\ and 😀"}`
export const batch = ['one', 'two', 'three']

export const INSERT = 'INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)'
export const SELECT = 'SELECT name, event, message FROM pipes_messages WHERE name = ?'

export const first = { name: pipe, event, message: text }
export const batched = batch.map(message => ({ name: pipe, event: 'batch', message }))
export const all = [first, ...batched]

// What is refused, and the number that says why.
const REFUSED = [
  ['a table that is not there', 15, "INSERT INTO no_such_table (name) VALUES ('x')"],
  ['a bad name', 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"],
  ['a syntax error', 3, 'INSERT INTO pipes_messages (name, event'],
]

/** A check, and its line. */
export function same(duty, what, seen, wanted) {
  // Rows have classes and metadata of their library.
  const plain = value => JSON.parse(JSON.stringify(value))
  if (!isDeepStrictEqual(plain(seen), plain(wanted))) {
    fail(`not ok ${duty}: ${what}: ${JSON.stringify(seen)}, where ${JSON.stringify(wanted)} is right`)
  }
  console.log(`ok ${duty}: ${what}`)
}

/** The call fails with this number. */
export async function refused(what, number, call, numberOf = error => error.errno) {
  try {
    await call()
  } catch (error) {
    return same('refuse', `${what}: ${number}`, numberOf(error), number)
  }
  fail(`not ok refuse: ${what} is allowed`)
}

/** All that is refused to someone who is logged in. */
export async function refusedStatements(query, numberOf) {
  for (const [what, number, statement] of REFUSED) await refused(what, number, () => query(statement), numberOf)
}

export function fail(reason) {
  console.error(reason)
  process.exit(1)
}
