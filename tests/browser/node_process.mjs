// A node of one's own, to be killed and started again, and a stock client to publish with.

import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ROWS_OF_AN_INSERT = 20

export class Node {
  static async start(binary) {
    const node = new Node()
    node.binary = binary
    node.home = await mkdtemp(join(tmpdir(), 'cometql-javascript-'))
    await node.#run('127.0.0.1:0')
    node.password = (await readFile(join(node.home, 'cometql-data/password'), 'utf8')).trim()
    return node
  }

  /** Killed between two instructions, and started where browsers knew it. */
  async restart() {
    await this.#kill()
    await this.#run(new URL(this.url).host)
  }

  async end() {
    await this.#kill()
    await rm(this.home, { recursive: true })
  }

  /** Runs statements with the mariadb client. */
  async sql(statements) {
    const client = this.#client()
    client.stdin.end(statements)
    await client.done
  }

  /** Publishes the numbers from `first` on, so many a second. */
  async stream(pipe, count, perSecond, first = 0) {
    const client = this.#client()
    const began = Date.now()
    for (let at = 0; at < count; at += ROWS_OF_AN_INSERT) {
      const numbers = Array.from({ length: Math.min(ROWS_OF_AN_INSERT, count - at) }, (_, row) => first + at + row)
      const due = began + at * 1000 / perSecond
      await new Promise(resolve => { setTimeout(resolve, due - Date.now()) })
      client.stdin.write(`INSERT INTO pipes_messages (name, event, message) VALUES ${numbers.map(number => `('${pipe}', 'n', '${number}')`).join(', ')};\n`)
    }
    client.stdin.end()
    await client.done
  }

  async #run(browsers) {
    const flags = ['--log', 'warn', '--mysql-listen', '127.0.0.1:0', '--ws-listen', browsers]
    this.process = spawn(this.binary, flags, { cwd: this.home, stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = []
    for await (const line of createInterface({ input: this.process.stdout })) {
      lines.push(line)
      if (lines.length === 3) break
    }
    if (lines.length < 3) throw new Error(`no node: ${lines.join('\n')}`)
    this.sqlPort = lines[1].trim().split(/\s+/)[1].split(':')[1]
    this.url = lines[2].trim().split(/\s+/)[1]
  }

  async #kill() {
    const ended = new Promise(resolve => this.process.once('exit', resolve))
    if (this.process.exitCode !== null || !this.process.kill('SIGKILL')) return
    await ended
  }

  #client() {
    const flags = ['--no-defaults', '--default-character-set=utf8mb4', '--protocol=tcp', '-h', '127.0.0.1', '-P', this.sqlPort, '-u', 'root']
    const client = spawn('mariadb', flags, { env: { ...process.env, MYSQL_PWD: this.password }, stdio: ['pipe', 'ignore', 'pipe'] })
    let said = ''
    client.stderr.on('data', data => { said += data })
    client.done = new Promise((resolve, reject) => {
      client.on('error', reject)
      client.on('close', code => code === 0 ? resolve() : reject(new Error(`the mariadb client said: ${said.trim()}`)))
    })
    return client
  }
}
