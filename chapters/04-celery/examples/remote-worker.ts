/**
 * remote-worker: serves an object under a name, as one instance for all, one for each session, or one for each call
 *
 *     pnpm --filter 04-celery start remote-worker
 *
 * It starts a name server and three workers, one of each kind. Two clients call a method that counts its calls. To
 * start only a worker, until Ctrl-C, registered with the name server of `remote-names --stay`:
 *
 *     export REMOTE_SECRET=…     # the same as there
 *     pnpm --filter 04-celery start remote-worker --names ws://127.0.0.1:9090 --instances session
 *
 * Look for: whose calls an instance has counted, and how many instances are left when the clients are gone.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { oneOf, wholeNumber } from '@repo/common/example/options'
import { table } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Instances, serveObject } from '../src/remote/daemon.ts'
import { Exchange } from '../src/remote/exchange.ts'
import { connectByName } from '../src/remote/names.ts'
import {
  listenAddress,
  nameServerAddress,
  newSecret,
  objectName,
  sharedSecret,
  startNameServer,
  startWorker,
} from '../src/remote/processes.ts'

const kinds: Instances[] = ['single', 'session', 'call']

export default example(import.meta, {
  options: {
    names: nameServerAddress()
      .optional()
      .describe('only serve, until Ctrl-C, registered with this name server; needs REMOTE_SECRET'),
    name: objectName().default('exchange.demo').describe('with --names: the name to register'),
    instances: oneOf(...kinds)
      .default('session')
      .describe('with --names: how many instances of the object there are'),
    latency: wholeNumber(0, 10_000).default(50).describe('with --names: simulated mean latency of a rate in ms'),
    host: listenAddress()
      .default('127.0.0.1')
      .describe('with --names: where to listen; clients connect to this address'),
  },

  async run({ names, name, instances, latency, host }, { signal, print }) {
    if (names) {
      // Serve an object under a name until Ctrl-C.
      const onChange = (lost?: Error) =>
        process.stderr.write(lost ? `${name} is not registered: ${lost.message}\n` : `${name} is registered again\n`)
      await using daemon = await serveObject(() => new Exchange(latency), {
        secret: sharedSecret(),
        host,
        instances,
        signal,
        register: { names, name, onChange },
      })
      print(`${name} is served at ${daemon.address}, instances: ${instances}. Ctrl-C stops it.`)
      if (!signal.aborted) await once(signal, 'abort')
      return { address: daemon.address, kinds: [] }
    }

    const secret = newSecret()
    await using stack = new AsyncDisposableStack()
    const server = stack.use(await startNameServer({ secret, signal }))
    const address = server.info.address
    const results = []
    for (const instances of kinds) {
      // A worker of this kind, and a connection of our own that asks how many instances there are.
      const name = `exchange.${instances}`
      const register = { names: address, name }
      await using _worker = await startWorker({ secret, signal }, { instances, register })
      using observer = await connectByName<Exchange>(address, name, { secret, signal })
      const instancesNow = () => observer.remote.instances()

      // Ann and Bob connect, each with a connection of their own, and call.
      let during = 0
      const calls = { ann: [] as number[], bob: [] as number[] }
      {
        using ann = await connectByName<Exchange>(address, name, { secret, signal })
        using bob = await connectByName<Exchange>(address, name, { secret, signal })
        const clients = { ann, bob }
        for (const who of ['ann', 'ann', 'bob', 'ann'] as const) calls[who].push(await clients[who].remote.calls())
        during = await instancesNow()
      }
      // The worker learns after us that the two connections have ended.
      for (let tries = 0; tries < 500 && (await instancesNow()) > 1; tries++) await delay(10, undefined, { signal })
      results.push({ instances, ...calls, during, after: await instancesNow() })
    }
    print(
      'Ann calls twice, Bob once, Ann once more. The method returns how many calls its instance has had:',
      '',
      table(
        ['instances', 'Ann is told', 'Bob is told', 'instances then', 'when both have left'],
        results.map(({ instances, ann, bob, during, after }) => [
          instances,
          ann.join(', '),
          bob.join(', '),
          during,
          after,
        ]),
      ),
      '',
      'A third connection asks how many instances there are. It has one too: its own (session), or for that call (call).',
    )
    return { address, kinds: results }
  },
  figure: ({ kinds }) => kinds.map(({ instances, ann }) => `${instances}: ${ann.join(' ')}`).join('; '),
})
