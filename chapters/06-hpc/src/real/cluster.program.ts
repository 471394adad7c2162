/**
 * `pnpm --filter 06-hpc cluster`: starts a real cluster on this machine, Slurm with two nodes behind OpenSSH, says how to
 * reach it, and ends it with all its jobs at Ctrl-C. Another number of cores for each node: `… cluster --cores 16`.
 */
import { parseArgs } from 'node:util'
import { wholeNumber } from '@repo/common/example/options'
import { describeError, UsageError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { findRealCluster, installRealCluster, startRealCluster } from './cluster.ts'

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { cores: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    process.stdout.write(
      'pnpm --filter 06-hpc cluster [--cores N]: a real Slurm of two nodes behind OpenSSH, until Ctrl-C\n',
    )
    return 0
  }
  const cores = wholeNumber(1, 1024).optional().safeParse(values.cores)
  if (!cores.success) throw new UsageError('--cores', values.cores, 'a whole number from 1 to 1024')
  if (!(await findRealCluster())) throw new Error(`Slurm or OpenSSH is not on this machine: ${installRealCluster}`)

  const stopped = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(130)).once('SIGTERM', () => resolve(143))
  })
  await using cluster = await startRealCluster({ cores: cores.data })
  process.stdout.write(`Slurm with two nodes of ${cluster.slurm.cores} cores each, behind OpenSSH on port ${cluster.ssh.port}. In a second terminal:

  pnpm --filter 06-hpc start array --host ${cluster.host} --ssh-config ${cluster.configFile}
  ssh -F ${cluster.configFile} ${cluster.host}

Ctrl-C ends it, with all its jobs.
`)
  ready({ host: cluster.host, configFile: cluster.configFile })
  return await stopped
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error) => {
    process.stderr.write(`${describeError(error)}\n`)
    process.exitCode = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1
  },
)
