/** A worker of one of the queues that `compare` weighs. Arguments: its kind and the queue's name; PLACES is a Places as JSON. */
import { ready } from '@repo/common/process/ready'
import { type KindName, kinds, type Places } from './sides.ts'

const [kind = '', queue = ''] = process.argv.slice(2)
const worker = await kinds[kind as KindName].work(JSON.parse(process.env.PLACES ?? '') as Places, queue)
process.once('SIGTERM', async () => {
  await worker.stop()
  process.exit()
})
ready({ address: worker.address })
