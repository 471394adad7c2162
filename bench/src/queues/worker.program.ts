/** A worker of one engine. Arguments: the engine and the queue's name; SERVERS is a Servers as JSON. */
import { ready } from '@repo/common/process/ready'
import { type EngineName, engines, type Servers } from './engines.ts'

const [engine = '', queue = ''] = process.argv.slice(2)
const worker = await engines[engine as EngineName].work(JSON.parse(process.env.SERVERS ?? '') as Servers, queue)
process.once('SIGTERM', async () => {
  await worker.stop()
  process.exit()
})
ready({ address: worker.address })
