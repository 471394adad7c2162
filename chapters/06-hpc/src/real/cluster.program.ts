/**
 * `pnpm --filter 06-hpc cluster`: starts a real cluster on this machine, Slurm with two nodes behind OpenSSH, says how
 * to reach it, and ends it with all its jobs on Ctrl-C.
 */
import { program } from '@repo/common/example/command-line'
import { wholeNumber } from '@repo/common/example/options'
import { ready } from '@repo/common/process/ready'
import { findAccounting } from './accounting.ts'
import { findRealCluster, installRealCluster, startRealCluster } from './cluster.ts'
import { findRest } from './rest.ts'

await program({
  usage: 'pnpm --filter 06-hpc cluster [options]',
  text: 'A real Slurm of two nodes behind OpenSSH, until Ctrl-C.',
  options: {
    cores: wholeNumber(1, 1024).optional().describe('cores of each node; by default as many as this machine has'),
  },
  async run({ cores }) {
    if (!(await findRealCluster())) throw new Error(`Slurm or OpenSSH is missing: ${installRealCluster}`)
    const stopped = new Promise<number>((resolve) => {
      process.once('SIGINT', () => resolve(130)).once('SIGTERM', () => resolve(143))
    })
    const more = { accounting: await findAccounting(), rest: await findRest() }
    await using cluster = await startRealCluster({ cores, ...more })
    const { slurm, ssh } = cluster
    const accounting = `${more.accounting ? 'with' : 'without'} accounting`
    const rest = slurm.rest ? `with REST on ${slurm.rest.socket} and ${slurm.rest.port}` : 'without REST'
    process.stdout.write(`Slurm with two nodes of ${slurm.cores} cores each, behind OpenSSH on port ${ssh.port}, ${accounting},
${rest}. In a second terminal:

  pnpm --filter 06-hpc start array --host ${cluster.host} --ssh-config ${cluster.configFile}
  ssh -F ${cluster.configFile} ${cluster.host}

Ctrl-C ends it, with all its jobs.
`)
    ready({ host: cluster.host, configFile: cluster.configFile })
    process.exitCode = await stopped
  },
})
