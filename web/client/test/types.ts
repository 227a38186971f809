// Programs as users write them. Nothing here runs: it compiles, or the types are wrong.

import { CometError, CometServerApi, connect, type ClassicMessage, type Gap, type Message, type Position } from '../src/index.js'

interface Chat {
  readonly text: string
}

export async function modern(): Promise<void> {
  const comet = connect({ node: ['a.example', 'wss://b.example/comet-server'], dev_id: 15, user_id: 7, user_key: 'token' })
  const published = await comet.publish('web_chat', { text: 'hi' }, { event: 'say', anonymous: true, signal: AbortSignal.timeout(1_000) })
  const position: Position = published.position
  const [epoch, index]: readonly [number, number] = position
  const controller = new AbortController()
  for await (const message of comet.subscribe<Chat>('web_chat', { last: 20, event: 'say', signal: controller.signal })) {
    const text: string = message.data.text
    // @ts-expect-error: a message says what it is
    message.data.nothing
    if (text && epoch && index) break
  }
  const subscription = comet.subscribe<Chat>('web_chat', {
    position,
    onMessage: ({ data, user }: Message<Chat>) => console.log(data.text, user?.toFixed()),
    onGap: ({ pipe, from, to }: Gap) => console.log(pipe, from, to),
  })
  const { recovered } = await subscription.ready
  const isThere: boolean | undefined = recovered
  subscription.close()
  const off: () => void = comet.on('state', state => { if (state.name === 'refused') console.log(state.code, state.reason, isThere) })
  // @ts-expect-error: there is no such event
  comet.on('weather', () => {})
  // @ts-expect-error: a state has a name of a few
  if (comet.state.name === 'happy') off()
  try {
    const count: number = await comet.count('web_chat')
    const users: { user: number | null, uuid: string }[] = await comet.users('track_hall')
    const seen: Date | undefined = (await comet.seen(7)).seenAt
    const data: string = await comet.userData(7)
    const history: Message<Chat>[] = await comet.history<Chat>('web_chat', { last: 3 })
    console.log(count, users, seen, data, history)
  } catch (error) {
    if (error instanceof CometError && error.code === 'forbidden') console.log(error.number)
    // @ts-expect-error: codes are known
    if (error instanceof CometError && error.code === 'bad') console.log(error)
  }
  comet.restart({ user_key: 'another' })
  comet.stop()
}

export function classic(cometApi: CometServerApi): void {
  cometApi.start({ dev_id: 15, user_id: 1, user_key: 'userHash', node: 'app.comet-server.ru' })
  const id = cometApi.subscription('pipe_name.event_name', e => console.log(e.data.anything, e.server_info.user_id))
  cometApi.unsubscription(id)
  cometApi.subscription((e: ClassicMessage) => console.log(e))
  cometApi.subscription(['one', 'two'], e => console.log(e.server_info.position?.[1]))
  cometApi.Subscription('track_online.subscription', msg => console.log(msg.data.uuid))
  cometApi.web_pipe_send('@web_pipe_name', 'event_name', { any: 'value' })
  cometApi.web_pipe_send('web_pipe_name', 'message')
  cometApi.count_users_in_pipe('web_chat_pipe', res => console.log(res.data.user_in_pipe.toFixed()))
  cometApi.getTrackPipeUsers('track_online', ({ data }) => data.map(({ user_id }) => user_id.toFixed()))
  cometApi.onAuthFalill(() => {})
  const isAuthorized: boolean | undefined = cometApi.isAuthorized()
  console.log(isAuthorized)
  // @ts-expect-error: a name is a text
  cometApi.subscription(5, () => {})
}
