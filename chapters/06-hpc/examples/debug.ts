/**
 * debug: why a job waits, what it finds in its environment, what it prints now, and a shell on a node
 *
 *     pnpm --filter 06-hpc start debug
 *     pnpm --filter 06-hpc start debug --scheduler htcondor
 *     pnpm --filter 06-hpc start debug --host you@login.cluster.example --job 1234
 *     pnpm --filter 06-hpc start debug --host you@login.cluster.example --shell
 *
 * With --job it only says why one of your jobs waits. With --shell it only gives you a shell, in your own terminal.
 *
 * Look for: the scheduler's words and ours; the variables that a job has and your login shell lacks, and vice versa;
 * the name of the machine in the shell; and the lines that arrive while the job is still running.
 */
import { posix } from 'node:path'
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { accepting, flag } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { bold, dim, table } from '@repo/common/output/terminal'
import { compareEnvironments, followLog, handOverTerminal, onNode, whyItWaits } from '../src/cluster/debugging.ts'
import { clusterOptions, openChosenCluster } from '../src/cluster/options.ts'
import { workFolder } from '../src/cluster/work-folder.ts'
import type { JobDescription, SubmittedJob } from '../src/scheduler/job.ts'
import { meaningOf } from '../src/scheduler/scheduler.ts'
import { CommandError, shown } from '../src/ssh/errors.ts'

export default example(import.meta, {
  options: {
    ...clusterOptions,
    job: accepting("a job's id", (text) => (/^\d[\w.[\]-]*$/.test(text) ? text : undefined))
      .optional()
      .describe('one of your jobs: only says why it waits'),
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
      const why = await cluster.why({ id, name: 'job', folder: cluster.home }).catch((error) => {
        if (error instanceof CommandError) throw new UsageError('--job', id, `the id of a job, but ${error.message}`)
        throw error
      })
      print(why, '', `That is: ${explained(why)}.`)
      return { ...place, waits: [{ job: id, why, meaning: explained(why) }] }
    }
    if (shell) return { ...place, shell: { code: await handOverTerminal(cluster, process, signal) } }

    await using folder = await workFolder(cluster, 'debug')
    print(`On ${cluster.name}, by ${dialect.title}.`, '', bold('The nodes'))
    const nodes = await cluster.nodes()
    const rows = nodes.map(({ name, state, cores, coresInUse, memoryMb, detail }) => {
      return [name, state, cores, coresInUse, memoryMb ? `${memoryMb} MB` : '', detail]
    })
    print(table(['node', 'state', 'cores', 'in use', 'memory', ''], rows))

    print('', bold('Why does my job wait?'), dim(`$ ${shown(dialect.why({ id: 'ID', name: '', folder: '' }).command)}`))
    const waits: { what: string; why: string; refused: boolean; meaning: string }[] = []
    const show = (what: string, why: string, refused = false) => {
      print('', `${what}${refused ? ', refused at once' : ''}:`, ...why.split('\n').map((line) => `  ${line}`))
      print(`  That is: ${explained(why)}.`)
      waits.push({ what, why, refused, meaning: explained(why) })
    }
    const ask = async (what: string, job: SubmittedJob) => show(what, await whyItWaits(cluster, job, signal))
    const submit = async (name: string, more: Partial<JobDescription> = {}) => {
      const resources = { cores: 1, walltimeSeconds: 300 }
      const job = { name, folder: folder.path, command: ['sleep', '300'], resources, ...more }
      return folder.cancelAtTheEnd(await cluster.submit(job))
    }

    // A job for each reason to wait. The first is held until somebody releases it.
    const held = await submit('held', { hold: true })
    await ask('A job that is held', held)

    // HTCondor leaves dependencies to DAGMan.
    const dependencies = [{ on: held.id, when: 'ok' as const }]
    if (dialect.name !== 'htcondor') {
      await ask('A job that waits for the held one', await submit('dependent', { dependencies }))
    }

    // Some schedulers refuse a job that no node can run; others let it wait for ever.
    const most = Math.max(...nodes.map(({ cores }) => cores))
    const tooLarge = `A job of ${most + 1} cores, where no node has more than ${most}`
    try {
      await ask(tooLarge, await submit('too-large', { resources: { cores: most + 1, walltimeSeconds: 300 } }))
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      show(tooLarge, (error.stderr || error.stdout).trim(), true)
    }

    // Fills only the practice cluster with jobs: elsewhere that would cost other people's time.
    if (cluster.practice) {
      const array = Array.from({ length: nodes.reduce((sum, { cores }) => sum + cores, 0) }, (_, task) => task)
      const filling = await submit('filling', { array })
      const allRun = async () => (await cluster.poll([filling])).every(({ state }) => state === 'running')
      await until(allRun, { timeoutMs: 120_000, everyMs: 200, signal, what: 'jobs on all cores' })
      await ask('A job that finds all cores in use', await submit('first'))
      await ask('The next one after it', await submit('second'))
      await cluster.cancel(filling)
    }

    print('', bold('What does a job find in its environment?'))
    const { scheduler, onlyLogin, onlyJob } = await compareEnvironments(cluster, folder, signal)
    // The practice cluster's home has a long name.
    const short = (text: string) => text.replaceAll(cluster.home, '~')
    print(`${scheduler.length === 1 ? '1 variable comes' : `${scheduler.length} variables come`} from the scheduler:`)
    print(...scheduler.map(([name, value]) => `  ${name}=${short(value)}`))
    print(`Only the login shell has: ${onlyLogin.join(' ') || 'nothing'}`)
    print(`Only the job has, besides those: ${onlyJob.join(' ') || 'nothing'}`)

    print('', bold('A shell on a node'))
    const session = await onNode(cluster, ['hostname', 'echo "2 + 3 = $((2 + 3))"', 'exit'], signal)
    print(dim(`$ ${shown(session.command)}`), ...session.text.split('\n').map((line) => `  ${line}`))

    print('', bold('A log, followed while the job runs'))
    print(dim(`$ tail -n +1 -f ${short(posix.join(folder.path, 'steps.out'))}`))
    const onLine = (line: string) => print(`  ${line}`)
    const log = await followLog(cluster, folder, { steps: quick ? 3 : 6, signal, onLine })
    print(`${log.live} of ${log.lines.length} lines arrived before the job had ended.`)

    const environment = { scheduler: scheduler.map(([name]) => name), onlyLogin }
    const typed = { command: shown(session.command), text: session.text }
    return { ...place, nodes: nodes.length, log, waits, environment, session: typed }
  },
  figure: (result) => `${'waits' in result ? result.waits?.length : 'no'} reasons to wait on ${result.scheduler}`,
})
