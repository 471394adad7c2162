/** A name server in a process of its own. REMOTE_SECRET has its secret; its argument, if any, is the port. */
import { ready } from '@repo/common/process/ready'
import { NameServer } from './names.ts'
import { serve } from './remote.ts'

const names = new NameServer()
const port = Number(process.argv[2] ?? 0)
const { address } = await serve(() => names, { secret: process.env.REMOTE_SECRET ?? '', port })
ready({ address })
