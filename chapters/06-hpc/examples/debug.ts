/**
 * debug: why does my job wait, what does it see, what does it print now, and a shell on a node to look for oneself
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 06-hpc start debug
 *     pnpm --filter 06-hpc start debug --scheduler htcondor
 *     pnpm --filter 06-hpc start debug --host you@login.cluster.example --job 1234
 *     pnpm --filter 06-hpc start debug --host you@login.cluster.example --shell
 *
 * The second to last only asks why one job of yours waits; the last gives you a shell on a node, in your own terminal.
 *
 * Look for: the scheduler's own words beside ours; which variables a job finds that your login shell lacks, and the other way
 * round; the name of the machine in the shell; and lines that arrive while the job still runs.
 */
import { posix } from 'node:path'
import { example } from '@repo/common/example/example'
import { accepting, flag } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { bold, dim, table } from '@repo/common/output/terminal'
import { compareEnvironments, followLog, handOverTerminal, onNode, waitingJobs } from '../src/cluster/debugging.ts'
import { clusterOptions, openChosenCluster } from '../src/cluster/options.ts'
import { workFolder } from '../src/cluster/work-folder.ts'
import { meaningOf } from '../src/scheduler/why.ts'
import { CommandError, shown } from '../src/ssh/errors.ts'

export default example(import.meta, {
  options: {
    ...clusterOptions,
    job: accepting("a job's id", (text) => (/^\d[\w.[\]-]*$/.test(text) ? text : undefined))
      .optional()
      .describe('a job of yours: only says why it waits'),
    shell: flag().describe('only gives you a shell on a node'),
  },

  async run({ job: id, shell, ...choice }, { signal, quick, print }) {
    if (shell && process.argv.includes('--json')) {
      throw new UsageError('--shell', '--json', 'standard output for the shell alone')
    }
    await using cluster = await openChosenCluster(choice, { nodes: 2, slots: 2 })
    const { dialect } = cluster
    const place = { scheduler: dialect.name, host: cluster.name }
    const explained = (why: string) => meaningOf(why) ?? 'words not known here: ask the administrators'

    if (id !== undefined) {
      const job = { id, name: 'job', folder: cluster.home }
      const why = await cluster.why(job).catch((error) => {
        if (error instanceof CommandError) throw new UsageError('--job', id, `the id of a job, but ${error.message}`)
        throw error
      })
      print(why, '', `That is: ${explained(why)}.`)
      return { ...place, waits: [{ job: id, why, meaning: explained(why) }] }
    }
    if (shell) {
      const code = await handOverTerminal(cluster, process, signal)
      return { ...place, shell: { code } }
    }

    await using folder = await workFolder(cluster, 'debug')
    print(`On ${cluster.name}, by ${dialect.title}.`, '', bold('The nodes'))
    const nodes = await cluster.nodes()
    print(
      table(
        ['node', 'state', 'cores', 'in use', 'memory', ''],
        nodes.map(({ name, state, cores, coresInUse, memoryMb, detail }) => [
          name,
          state,
          cores,
          coresInUse,
          memoryMb ? `${memoryMb} MB` : '',
          detail,
        ]),
      ),
    )

    print('', bold('Why does my job wait?'), dim(`$ ${shown(dialect.why({ id: 'ID', name: '', folder: '' }).command)}`))
    const waits = await waitingJobs(cluster, folder, nodes, {
      signal,
      onReason({ what, why, refused }) {
        print('', `${what}${refused ? ', refused at once' : ''}:`, ...why.split('\n').map((line) => `  ${line}`))
        print(`  That is: ${explained(why)}.`)
      },
    })

    print('', bold('What does a job find in its environment?'))
    const environment = await compareEnvironments(cluster, folder, signal)
    print(`${environment.scheduler.length} variables come from the scheduler:`)
    // For the eye: the practice cluster's home has a long name.
    const short = (text: string) => text.replaceAll(cluster.home, '~')
    print(...environment.scheduler.map(([name, value]) => `  ${name}=${short(value)}`))
    print(`Only the login shell has: ${environment.onlyLogin.join(' ') || 'nothing'}`)
    print(`Only the job has, beside those: ${environment.onlyJob.join(' ') || 'nothing'}`)

    print('', bold('A shell on a node'))
    const session = await onNode(cluster, ['hostname', 'echo "2 + 3 = $((2 + 3))"', 'exit'], signal)
    print(dim(`$ ${shown(session.command)}`), ...session.text.split('\n').map((line) => `  ${line}`))

    print('', bold('A log, followed while the job runs'))
    const steps = quick ? 3 : 6
    const file = posix.join(folder.path, 'steps.out')
    print(dim(`$ tail -n +1 -f ${short(file)}`))
    const log = await followLog(cluster, folder, { steps, signal, onLine: (line) => print(`  ${line}`) })
    print(`${log.live} of ${log.lines.length} lines arrived before the job had ended.`)
    return {
      ...place,
      nodes: nodes.length,
      log,
      waits: waits.map((each) => ({ ...each, meaning: explained(each.why) })),
      environment: { scheduler: environment.scheduler.map(([name]) => name), onlyLogin: environment.onlyLogin },
      session: { command: shown(session.command), text: session.text },
    }
  },
  figure: (result) => `${'waits' in result ? result.waits?.length : 'no'} reasons to wait on ${result.scheduler}`,
})
