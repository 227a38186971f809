// Compiled against what is published, as an ES module.

import { connect, CometError, type Message } from 'cometql'

const comet = connect({ node: 'node.example', tabs: false })
for await (const { data } of comet.subscribe<number>('numbers', { signal: AbortSignal.timeout(1) })) data.toFixed()
export const show = (message: Message, error: CometError): string => `${String(message.data)} ${error.code}`
