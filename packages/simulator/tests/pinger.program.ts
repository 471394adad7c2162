/** A node that counts the pings of each other node, saves the counts, and reports them. */
import { messageOf } from '@repo/common/output/errors'
import { runNode } from '../src/processes.ts'

export type Ping = { ping: number }
export type Report = { from: string; counts: [string, number][] }

try {
  await runNode<Ping, { names: string[]; everyMs: number }, Report>((world, { name, settings, disk, report }) => {
    const counts = new Map(disk as ReadonlyMap<string, number>)
    function* ping() {
      for (let number = 1; ; number++) {
        for (const to of settings.names) if (to !== name) yield { do: 'send', to, message: { ping: number } } as const
        yield { do: 'wait', ms: settings.everyMs } as const
      }
    }
    function* count(from: string) {
      counts.set(from, (counts.get(from) ?? 0) + 1)
      yield { do: 'save', key: from, value: counts.get(from) } as const
      report({ from, counts: [...counts] })
    }
    world.run(name, ping())
    return (_, from) => count(from)
  })
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1))
}
