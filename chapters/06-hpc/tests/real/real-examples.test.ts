/** The examples on a real Slurm behind a real OpenSSH, as functions, and what a reader does with them. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import checkpoint from '../../examples/checkpoint.ts'
import submit from '../../examples/submit.ts'
import { sshConfig } from '../../src/real/open-ssh.ts'
import { chapter, need, useRealCluster } from '../fixtures/real-cluster.ts'
import { showThemBy } from '../fixtures/real-examples.ts'
import { typeInto } from '../typed.ts'

describeReal('on a real cluster', need, () => {
  const used = useRealCluster()
  const { real, start, documentOf, resultOf } = used
  showThemBy('slurm', used)

  describe.concurrent('a reader', () => {
    it('comes back to an array whose client was killed', async () => {
      const args = ['--host', real().host, '--ssh-config', real().configFile]
      const killed = await runExample(chapter, 'array', [...args, '--job', 'mandelbrot', '--tasks', '6'], {
        interruptWhen: /go on with/,
        interruptWith: 'SIGKILL',
      })
      expect(killed.signal).toBe('SIGKILL')
      // As printed, for the reader's own shell.
      const [, more = ''] = /go on with: (--attach .*)$/m.exec(killed.stdout) ?? []
      const document = await documentOf(runExample(chapter, 'array', ['--json', ...more.split(' ')]))
      expect(document).toMatchObject({ tasks: 6, completed: 6, resubmitted: 0, result: { width: 1200 } })
    })

    it('submits a job as a process of its own', async () => {
      expect(await documentOf(start('submit'))).toMatchObject({ scheduler: 'slurm', state: 'completed', exitCode: 0 })
    })

    it('accepts the key of a new host, once and for all', async () => {
      await using folder = await temporaryFolder()
      const [knownHostsFile, configFile] = [join(folder.path, 'known_hosts'), join(folder.path, 'config')]
      await writeFile(configFile, sshConfig('new', { ...real().ssh, knownHostsFile }))
      const { stdout } = await promisify(execFile)('ssh-keygen', ['-lf', join(real().ssh.folder, 'host_key.pub')])
      const [fingerprint = ''] = /SHA256:\S+/.exec(stdout) ?? []
      const host = { host: 'new', sshConfig: configFile }
      await expect(submit.run(host, ['true'])).rejects.toThrow(fingerprint)
      expect(await submit.run({ ...host, acceptHost: fingerprint }, ['true'])).toMatchObject({ state: 'completed' })
      expect(await submit.run(host, ['true'])).toMatchObject({ state: 'completed' })
    })

    it('finds nothing left behind by a failed run that nobody could come back to', async () => {
      await expect(resultOf(checkpoint, { node: 'no-such-node' })).rejects.toThrow(
        /the job ended in its life 1: failed, exit code 127: .*no-such-node: not found/,
      )
      // The last of these tests looks into the account and the queue.
    })

    it('is given a shell on a node', async () => {
      const args = ['--host', real().host, '--ssh-config', real().configFile, '--shell']
      const { code, stdout } = await typeInto(args, 'echo "node $SLURMD_NODENAME, $((2 + 3))"\nexit\n')
      expect(code).toBe(0)
      expect(stdout).toMatch(/node n[12], 5/)
    })
  })

  it('leaves nothing in the account, and nothing in the queue', () => used.isLeftEmpty())
})
