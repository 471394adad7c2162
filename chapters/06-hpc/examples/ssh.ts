/**
 * ssh: many commands and many small files over one connection, and what that saves
 *
 *     pnpm --filter 06-hpc start ssh
 *     pnpm --filter 06-hpc start ssh --rtt 100
 *     pnpm --filter 06-hpc start ssh --host you@login.cluster.example
 *
 * Talking to a cluster means hundreds of small commands (is it done yet?) and thousands of small files. Each of them
 * costs next to nothing. The cost is in connecting, and in waiting for each response before sending the next request.
 *
 * Look for: what it costs to start ssh for each command, and how much of that ssh's own ControlMaster saves. Then the
 * same for files, over a link with a round trip of 20 ms. The COST compares with the best way that does one thing at a
 * time.
 */
import { mkdtemp } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { smallest } from '@repo/common/extremes'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { howMany, milliseconds, table, times } from '@repo/common/output/terminal'
import { clusterOptions } from '../src/cluster/options.ts'
import { connect } from '../src/ssh/connection.ts'
import { openLoginNode, resultName, uploadResults } from '../src/ways/login-node.ts'
import * as programs from '../src/ways/programs.ts'
import { compare, drawWays, each, type Measured, oneByOne, together, type Way } from '../src/ways/ways.ts'

/** The ways to fetch files that send a request before the answer to the last one has come. */
const atOnceWays = ['all asked for at once', 'download, with checksums']

export default example(import.meta, {
  options: {
    host: clusterOptions.host.describe('a host; without it an SSH server on this machine'),
    sshConfig: clusterOptions.sshConfig,
    acceptHost: clusterOptions.acceptHost,
    results: wholeNumber(20, 100_000).default(1_000).describe('small files to fetch'),
    rtt: wholeNumber(0, 2_000).default(20).describe('ms that the link for the files adds to a round trip'),
    rounds: wholeNumber(1, 100).default(5).describe('how many times everything is measured'),
  },
  quick: { results: 200, rounds: 1 },

  async run({ host, sshConfig: configFile, acceptHost, results, rtt, rounds }, { signal, quick, print, picture }) {
    await using node = await openLoginNode({ host, configFile, acceptHost, rttMs: rtt, signal })
    const [near, far] = [node.near, node.far].map((way) => ({ ...way, signal }))

    // One connection to the host, and one through a longer link.
    await using connection = await connect({ ...near.options, signal })
    await using slow = await connect({ ...far.options, signal })
    print(`${node.name}: commands, then ${howMany(results, 'small file')} …`)
    const some = quick ? 5 : 20
    const [all, few] = [posix.join(node.remote, 'all'), posix.join(node.remote, 'few')]
    await using _ = { [Symbol.asyncDispose]: () => connection.remove(node.remote).catch(() => {}) }
    await uploadResults(connection, join(node.folder, 'all'), all, results)
    await uploadResults(connection, join(node.folder, 'few'), few, some)

    // Ways to run a small command. Programs that this machine does not have are left out.
    const has = await programs.findPrograms()
    const atOnce = 10
    await using master = has.ssh ? await programs.controlMaster(near, join(node.folder, 'm')) : undefined
    const ask = () => connection.run(['true'])
    const commandWays: Record<string, Way> = {
      ...(has.ssh && {
        'ssh for each': each(some, (times) => programs.ssh(near, times)),
        'ssh for each, 10 at a time': each(some, (times) => programs.ssh(near, times, { atOnce })),
      }),
      ...(master && {
        'ssh with ControlMaster, 10 at a time': each(2 * some, (n) => programs.ssh(near, n, { atOnce, ...master })),
      }),
      'one connection': each(5 * some, oneByOne(ask)),
      'one connection, 10 at a time': each(20 * some, together(ask)),
    }

    // Ways to fetch small files, over the longer link. Each copy goes into a new folder.
    const copy = (times: number, run: (to: string) => Promise<unknown>) =>
      each(times, async () => run(await mkdtemp(join(node.folder, 'copy-'))))
    const fetch = (at: number) => slow.readFile(posix.join(all, resultName(at)), { signal })
    const fileWays: Record<string, Way> = {
      'one after the other': each(some, oneByOne(fetch)),
      ...(has.scp && node.isOpenSsh && { 'scp -r': copy(some, (to) => programs.scp(far, few, to)) }),
      ...(has.rsync && { 'rsync -a': copy(results, (to) => programs.rsync(far, all, to)) }),
      'all asked for at once': each(results, together(fetch)),
      'download, with checksums': copy(results, (to) => slow.download(all, to, { signal })),
      ...(has.tar && { 'one tar stream': copy(results, (to) => programs.tar(slow, all, to, signal)) }),
    }

    using bar = progress('measuring', 2)
    const options = (part: number) => {
      return { rounds, signal, onProgress: (done: number, of: number) => bar.update(part + done / of) }
    }
    const base = has.ssh ? 'ssh for each, 10 at a time' : 'one connection'
    const commands = await compare(commandWays, { base, ...options(0) })
    const files = await compare(fileWays, { base: 'one after the other', ...options(1) })

    // COST: what does asking for several things at once gain over the best plain program, which asks for one at a time?
    const msOf = (ways: Measured[], name: string) => ways.find(({ way }) => way === name)?.ms ?? Number.NaN
    const serialFiles = files.filter(({ way }) => !atOnceWays.includes(way))
    const cost = costOf(msOf(commands, 'one connection'), [
      { workers: atOnce, ms: msOf(commands, 'one connection, 10 at a time') },
    ])
    const filesCost = costOf(smallest(serialFiles.map(({ ms }) => ms)), [
      { workers: results, ms: msOf(files, 'all asked for at once') },
    ])
    const bestFiles = serialFiles.find(({ ms }) => ms === filesCost.bestSerialMs)?.way

    const rows = (ways: Measured[]) =>
      ways.map(({ way, ms, perSecond, speedup }) => [way, milliseconds(ms), perSecond.toFixed(0), times(speedup)])
    print('', table(['commands', 'time for one', 'per second', 'times as fast'], rows(commands)))
    print('', table([`files, + ${rtt} ms`, 'time for one', 'per second', 'times as fast'], rows(files)))
    print(
      '',
      `Commands, each: ${describeCost(cost, 'commands at a time', 'one after another')}`,
      `Files, each: ${describeCost(filesCost, 'requests at a time', `"${bestFiles}"`)}`,
    )
    const drawn = await picture('ssh.svg', drawWays(node.name, commands, files))
    print('', `Picture: ${drawn}`)
    return { target: node.name, results, rttMs: rtt, commands, files, ...cost, filesCost, picture: drawn }
  },
  figure: ({ commands, files, cost }) => {
    const download = files.find(({ way }) => way.startsWith('download'))?.speedup ?? 1
    return `${times(commands.at(-1)?.speedup ?? 1)} the commands of ssh for each; files ${times(download)} as fast as one after the other; COST ${cost}`
  },
})
