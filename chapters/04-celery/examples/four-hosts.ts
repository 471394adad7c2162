/**
 * four-hosts: broker, replica, two worker hosts and a client on networks of their own; one cable is pulled and put back
 *
 * Linux only, as root:
 *
 *     sudo npx pnpm@12 --filter 04-celery start four-hosts
 *     sudo npx pnpm@12 --filter 04-celery start four-hosts --n 5000000 --chunks 32
 *
 * The hosts are network namespaces: they share this machine's processor, and each has its own network and hosts file.
 * On real machines you start the same programs by hand; see the README.
 *
 * Look for: which host sorted how many chunks; what a pulled cable costs (the lock of the task that the host had); that
 * nothing is missing; that the host works again once its cable is back; and the COST: speed is not why there are hosts.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { aborted } from '@repo/common/async/abort'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { type FourHosts, hosts, type Sorted, startFourHosts } from '../src/hosts/hosts.ts'
import { labProblem } from '../src/hosts/namespaces.ts'

const roles = {
  host1: 'broker: Redis',
  host2: 'replica of host1',
  host3a: 'worker',
  host3b: 'worker',
  host4: 'client',
}
const cutHost = 'host3b'

export default example(import.meta, {
  options: {
    n: wholeNumber(1_000, 50_000_000).default(1_000_000).describe('how many numbers are sorted'),
    chunks: wholeNumber(2, 1_024).default(16).describe('how many tasks'),
    lock: number(0.5, 600).default(3).describe('seconds for which a worker without a sign of life keeps its task'),
  },
  quick: { lock: 1.5 },

  async run({ n, chunks, lock }, { signal, print }) {
    const problem = await labProblem()
    if (problem) throw new UsageError('four-hosts', problem, 'root on Linux: it makes network namespaces')
    // Make the hosts, and start Redis, a replica, two workers and a client on them.
    using bar = progress('making the hosts')
    await using system = await startFourHosts({ lockSeconds: lock, signal })
    print(
      'Five hosts on this machine …',
      '',
      table(
        ['host', 'address', 'what it is'],
        hosts.map((host) => [host, system.address(host), roles[host]]),
      ),
      '',
    )

    // The client on host4 sorts, while this program watches from outside.
    const stopped = aborted(signal)
    const sort = (way: 'in messages' | 'by reference', seed: number) =>
      Promise.race([system.ask({ ask: 'sort', n, chunks, way, seed }), stopped])
    const steps: ({ step: string } & Sorted)[] = []
    const take = (step: string, sorted: Sorted) => {
      if (!sorted.sorted) throw new Error(`${step}: the numbers are not sorted`)
      steps.push({ step, ...sorted })
    }

    // While all is well.
    bar.update(0, 'sorting')
    take('numbers in the messages', await sort('in messages', 1))
    take('numbers by reference', await sort('by reference', 2))
    const replica = await system.ask({ ask: 'replica' })

    // Pull the cable of a worker host in the middle of a sorting, and sort once more without it.
    bar.update(0, `sorting while ${cutHost} is cut off`)
    const cutOff = sort('by reference', 3)
    const held = await pullCable(system, cutOff, signal)
    take(`cable of ${cutHost} pulled meanwhile`, await cutOff)
    take(`without ${cutHost}`, await sort('by reference', 4))

    // Put the cable back.
    bar.update(0, `waiting for ${cutHost} to be back`)
    const healedAt = performance.now()
    await system.heal(cutHost)
    const isBack = async () => (await system.ask({ ask: 'workers' })).workers.includes(cutHost)
    while (!(await isBack())) await delay(100, undefined, { signal })
    const backMs = performance.now() - healedAt
    bar.update(0, 'sorting again')
    take('cable back', await sort('by reference', 5))

    // The first two steps, while all was well, against the best sort on one thread of the client's host.
    const cost = costOf(
      Math.min(...steps.map(({ bestSerialMs }) => bestSerialMs)),
      steps.slice(0, 2).map(({ ms }) => ({ workers: 2, ms })),
    )
    print(
      table(
        ['', 'time', 'chunks on host3a', 'on host3b'],
        steps.map(({ step, ms, byWorker }) => [step, milliseconds(ms), byWorker.host3a ?? 0, byWorker.host3b ?? 0]),
      ),
      '',
      describeCost(cost, 'worker hosts'),
      `${count(n)} numbers in ${howMany(chunks, 'chunk')}, sorted each time. A lock lasts ${lock} s.`,
      held
        ? `${cutHost} had a chunk when its cable was pulled; host3a got it when the lock had run out.`
        : `${cutHost} had no chunk when its cable was pulled: nothing had to be done again.`,
      `${cutHost} answered again ${milliseconds(backMs)} after its cable was back.`,
      `The replica on host2 has ${count(replica.keysOnReplica)} of ${count(replica.keys)} keys.`,
    )
    return { n, chunks, lockMs: lock * 1_000, steps, ...cost, cut: { host: cutHost, held, backMs }, replica }
  },
  figure: ({ n, steps, cost }) =>
    `${count(n)} numbers sorted ${steps.length} times, once with a host cut off in the middle; COST ${cost}`,
})

// #region pull
/** Cuts the host off as soon as it has a chunk; returns whether it still had it then. */
async function pullCable(system: FourHosts, sorting: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const ended = new AbortController()
  sorting.finally(() => ended.abort()).catch(() => {})
  const isBusy = async () => (await system.ask({ ask: 'active' })).running.includes(cutHost)
  while (!ended.signal.aborted && !(await isBusy())) await delay(1, undefined, { signal })
  await system.cut(cutHost)
  return !ended.signal.aborted && (await isBusy())
}
// #endregion pull
