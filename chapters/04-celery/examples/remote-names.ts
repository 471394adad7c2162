/**
 * remote-names: a name server for remote objects; the names of workers that die go away, by connection or by lease
 *
 *     pnpm --filter 04-celery start remote-names
 *     pnpm --filter 04-celery start remote-names --lease 1000
 *
 * It starts a name server and four workers, each a process of its own, and does to them what can happen to workers. To
 * start only the name server, until Ctrl-C, for remote-worker and remote-currency in other terminals:
 *
 *     export REMOTE_SECRET=$(node -p 'crypto.randomUUID()')     # the same in every terminal
 *     pnpm --filter 04-celery start remote-names --stay --port 9090
 *
 * Look for: a killed worker's name goes at once, because its connection ends; a worker that hangs keeps its name until
 * its lease has run out, and gets it back when it goes on; a restarted name server has the names again, having stored
 * none.
 */
import { once } from 'node:events'
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { howMany, milliseconds, table } from '@repo/common/output/terminal'
import { startAll } from '@repo/common/process/start-all'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { NameServer } from '../src/remote/names.ts'
import { listenAddress, newSecret, sharedSecret, startNameServer, startWorker } from '../src/remote/processes.ts'
import { connect, serve } from '../src/remote/remote.ts'

/** For how many leases this example waits for a name to go or to come back. */
const patience = 20

export default example(import.meta, {
  options: {
    lease: wholeNumber(300, 60_000).default(3_000).describe('ms that a name outlives its last heartbeat'),
    stay: flag().describe('only serve, until Ctrl-C; needs REMOTE_SECRET'),
    host: listenAddress()
      .default('127.0.0.1')
      .describe('with --stay: where to listen; 127.0.0.1 can be reached from this machine only'),
    port: wholeNumber(0, 65_535).default(0).describe('with --stay: the port; 0 is a free one'),
  },
  quick: { lease: 2_000 },

  async run({ lease: leaseMs, stay, host, port }, { signal, print }) {
    if (stay) {
      const names = new NameServer()
      await using server = await serve(() => names, { secret: sharedSecret(), host, port })
      print(`The name server is at ${server.address}. Ctrl-C stops it.`)
      if (!signal.aborted) await once(signal, 'abort')
      return { address: server.address, registered: names.list(), events: [] }
    }

    // A name server, and four workers that register with it.
    await using stack = new AsyncDisposableStack()
    const secret = newSecret()
    let names = stack.use(await startNameServer({ secret, signal }))
    const { address } = names.info
    const starting = ['rates.killed', 'rates.hangs', 'rates.removed', 'rates.stays'].map((name) =>
      startWorker({ secret, signal }, { register: { names: address, name, leaseMs } }),
    )
    const [killed, hanging] = await startAll(stack, starting)

    // A client asks what is registered.
    let client = await connect<NameServer>(address, { secret, signal })
    stack.defer(() => client[Symbol.dispose]())
    const registered = await client.remote.list('rates.')
    print(
      `A name server at ${address}, and what it lists under "rates.":`,
      table(
        ['name', 'address', 'lease'],
        registered.map(({ name, address, remainingMs }) => [name, address, milliseconds(remainingMs)]),
      ),
    )

    using _bar = progress('waiting for names to go and to come back')
    /** Does something, and measures the time until exactly these names are left. */
    async function timed(what: string, act: () => unknown, ...expected: string[]) {
      const start = performance.now()
      await act()
      const left = async () => (await client.remote.list('rates.')).map(({ name }) => name.slice('rates.'.length))
      const timeoutMs = patience * leaseMs
      await until(async () => (await left()).join() === expected.join(), { what, everyMs: 2, timeoutMs, signal })
      return { what, ms: performance.now() - start, left: expected }
    }

    // Kill a worker, remove a name, freeze a worker and let it go on, kill the name server.
    const events = [
      await timed('"killed" gets SIGKILL', () => killed?.process.kill('SIGKILL'), 'hangs', 'removed', 'stays'),
      await timed('"removed" is removed by a client', () => client.remote.remove('rates.removed'), 'hangs', 'stays'),
    ]
    if (process.platform !== 'win32') {
      events.push(
        await timed('"hangs" is stopped with SIGSTOP', () => hanging?.process.kill('SIGSTOP'), 'stays'),
        await timed('"hangs" goes on with SIGCONT', () => hanging?.process.kill('SIGCONT'), 'hangs', 'stays'),
      )
    }
    async function restartNameServer() {
      await names.kill()
      names = stack.use(await startNameServer({ secret, signal }, Number(new URL(address).port)))
      client = await connect<NameServer>(address, { secret, signal })
    }
    events.push(await timed('the name server gets SIGKILL and is started again', restartNameServer, 'hangs', 'stays'))
    print(
      '',
      table(
        ['what happens', 'takes effect after', 'names left'],
        events.map(({ what, ms, left }) => [what, milliseconds(ms), left.join(', ')]),
      ),
      '',
      `The lease is ${milliseconds(leaseMs)}, a heartbeat comes every ${milliseconds(leaseMs / 3)}.`,
    )
    return { address, leaseMs, registered, events }
  },
  figure: ({ events }) =>
    `${howMany(events.length, 'fault')}; a killed worker's name is gone after ${milliseconds(events[0]?.ms ?? 0)}`,
})
