/** A plain SSH client for the practice cluster, to type commands as a user does. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { PracticeCluster } from '@repo/practice-cluster/cluster'
import ssh2, { type ClientChannel } from 'ssh2'

export interface Typed {
  code: number
  stdout: string
  stderr: string
}

export interface Shell extends Disposable {
  /** Runs a command line on the login node, with this standard input. */
  type: (line: string, input?: string) => Promise<Typed>
}

/** Logs in, as another user or with another key where that is asked for. */
export async function logIn(
  cluster: PracticeCluster,
  as: { user?: string; identityFile?: string } = {},
): Promise<Shell> {
  const client = new ssh2.Client()
  client.connect({
    host: cluster.host,
    port: cluster.port,
    username: as.user ?? cluster.user,
    privateKey: await readFile(as.identityFile ?? cluster.identityFile),
  })
  await once(client, 'ready')
  // The cluster may end before this connection does.
  client.on('error', () => {})
  return {
    async type(line, input = '') {
      const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>()
      client.exec(line, (error, channel) => (error ? reject(error) : resolve(channel)))
      const channel = await promise
      const exited = once(channel, 'exit')
      channel.end(input)
      const [stdout, stderr, [code]] = await Promise.all([text(channel), text(channel.stderr), exited])
      return { code, stdout, stderr }
    },
    [Symbol.dispose]: () => client.end(),
  }
}
