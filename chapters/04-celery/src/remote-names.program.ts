/** A name server in a process of its own. Its secret is in REMOTE_SECRET; its one argument, if any, is the port. */
import { ready } from '@repo/common/ready'
import { serve } from './remote.ts'
import { NameServer } from './remote-names.ts'

const names = new NameServer()
const port = Number(process.argv[2] ?? 0)
const { address } = await serve(() => names, { secret: process.env.REMOTE_SECRET ?? '', port })
ready({ address })
