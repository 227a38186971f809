// Compiled against what is published, through `require`.

import cometql = require('cometql')

const comet: cometql.Comet = cometql.connect({ node: 'node.example' })
const api = new cometql.CometServerApi()
api.start({ node: 'node.example' })
export const show = (message: cometql.Message): string => `${String(message.data)} ${comet.uuid}`
