/**
 * ssh: many commands and many small files over one connection, and what that saves
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 06-hpc start ssh
 *     pnpm --filter 06-hpc start ssh --rtt 100
 *     pnpm --filter 06-hpc start ssh --host you@login.cluster.example
 *
 * Talking to a cluster means hundreds of small commands (is it done yet?) and thousands of small files. Each of them costs
 * next to nothing; what costs is to connect, and to wait for one answer before asking the next question.
 *
 * Look for: what starting ssh for each command costs, and how much of that ssh's own ControlMaster saves. Then the same
 * question for files, over a link on which every question takes 20 ms.
 */
import { join, posix } from 'node:path'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { barPlot, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table, times } from '@repo/common/output/terminal'
import { clusterOptions } from '../src/cluster/options.ts'
import { connect } from '../src/ssh/connection.ts'
import { openLoginNode, uploadResults } from '../src/ways/login-node.ts'
import { findPrograms, startControlMaster } from '../src/ways/programs.ts'
import { type Ways, waysToAsk, waysToFetch } from '../src/ways/ways.ts'

export default example(import.meta, {
  options: {
    host: clusterOptions.host.describe('a host; without it an SSH server on this machine'),
    sshConfig: clusterOptions.sshConfig,
    acceptHost: clusterOptions.acceptHost,
    results: wholeNumber(20, 100_000).default(1_000).describe('small files to fetch'),
    rtt: wholeNumber(0, 2_000).default(20).describe('ms that the link for the files adds to a round trip'),
    rounds: wholeNumber(1, 100).default(5).describe('how often everything is measured'),
  },
  quick: { results: 200, rounds: 1 },

  async run({ host, sshConfig: configFile, acceptHost, results, rtt, rounds }, { signal, quick, print, picture }) {
    await using node = await openLoginNode({ host, configFile, rttMs: rtt, signal })
    const [near, far] = [node.near, node.far].map((each) => ({ ...each, signal }))
    await using connection = await connect({ ...near, ...(acceptHost && { acceptNewHost: acceptHost }) })
    await using slow = await connect(far)
    print(`${node.name}: commands, then ${count(results)} small files …`)
    const some = quick ? 5 : 20
    const [all, few] = [posix.join(node.remote, 'all'), posix.join(node.remote, 'few')]
    await using _ = { [Symbol.asyncDispose]: () => connection.remove(node.remote).catch(() => {}) }
    await uploadResults(connection, join(node.folder, 'all'), all, results)
    await uploadResults(connection, join(node.folder, 'few'), few, some)
    const there = await findPrograms('ssh', 'scp', 'rsync', 'tar')
    await using master = there.has('ssh') ? await startControlMaster(near, join(node.folder, 'm')) : undefined

    const commandWays = waysToAsk({ to: near, connection, programs: there, master, some })
    const fileWays = waysToFetch({ to: far, connection: slow, programs: there, node, all, few, results, some, signal })

    using bar = progress('measuring', 2)
    const measured = async (ways: Ways, first: string, part: number) => {
      const onProgress = (done: number, of: number) => bar.update(part + done / of)
      const timings = await interleave(ways, { rounds, signal, onProgress })
      const baseMs = timings[first]?.ms ?? Number.NaN
      return Object.entries(timings).map(([way, { ms }]) => ({ way, ms, perSecond: 1_000 / ms, speedup: baseMs / ms }))
    }
    const base = there.has('ssh') ? 'ssh for each, 10 at a time' : 'one connection'
    const commands = await measured(commandWays, base, 0)
    const files = await measured(fileWays, 'one after the other', 1)
    const bars = [...commands, ...files].map(({ way, speedup }, at) => {
      return { name: way, value: speedup, label: times(speedup), color: palette[at < commands.length ? 0 : 1] }
    })
    const x = { label: 'times as fast' }
    const subtitle = `commands against ssh for each, 10 at a time; ${count(results)} files against one after the other`
    const svg = barPlot({ title: `One connection to ${node.name}`, subtitle, x, bars })
    const drawn = await picture('ssh.svg', svg)

    const rows = (ways: typeof files) =>
      ways.map(({ way, ms, perSecond, speedup }) => [way, milliseconds(ms), perSecond.toFixed(0), times(speedup)])
    print('', table(['commands', 'time for one', 'per second', 'times as fast'], rows(commands)))
    print('', table([`files, + ${rtt} ms`, 'time for one', 'per second', 'times as fast'], rows(files)))
    print('', `Picture: ${drawn}`)
    return { target: node.name, results, rttMs: rtt, commands, files, picture: drawn }
  },
  figure: ({ commands, files }) =>
    `${times(commands.at(-1)?.speedup ?? 1)} the commands of ssh for each; files ${times(
      files.find(({ way }) => way.startsWith('download'))?.speedup ?? 1,
    )} as fast as one after the other`,
})
