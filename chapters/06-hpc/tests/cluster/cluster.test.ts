/** Slurm on the practice cluster, and what else such a cluster may have. cluster.long.test.ts has the other dialects. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it, vi } from 'vitest'
import { openCluster } from '../../src/cluster/cluster.ts'
import type { TransferProgress } from '../../src/ssh/transfer.ts'
import { behavesAs, open, windows } from '../fixtures/dialects-on-cluster.ts'

behavesAs(['slurm'])

describe.skipIf(windows)('a practice cluster', () => {
  it('polls a thousand tasks with one command', async () => {
    await using opened = await open({ practice: { slots: 64, nodes: 2 } })
    const job = await opened.submit({ hold: true, array: Array.from({ length: 1000 }, (_, task) => task) })
    const statuses = await opened.cluster.poll([job])
    expect(statuses).toHaveLength(1000)
    expect(new Set(statuses.map(({ state }) => state))).toEqual(new Set(['held']))
    expect(opened.cluster.commands).toEqual({ submit: 1, poll: 1 })
  })

  it('needs no OpenSSH on this machine', async () => {
    await using folder = await temporaryFolder()
    const proof = join(folder.path, 'proof')
    for (const name of ['ssh', 'ssh-keygen']) {
      await writeFile(join(folder.path, name), `#!/bin/sh\ntouch ${proof}\nexit 1\n`, { mode: 0o755 })
    }
    vi.stubEnv('PATH', `${folder.path}:${process.env.PATH}`)
    await using opened = await open()
    vi.unstubAllEnvs()
    expect(await opened.ended(await opened.submit({}))).toMatchObject([{ state: 'completed' }])
    await expect(stat(proof)).rejects.toThrow('ENOENT')
  })

  it('without a scheduler: the error says which programs were looked for', async () => {
    await expect(openCluster({ practice: { schedulers: [] } })).rejects.toThrow(
      /^--host: .* no scheduler found: on the practice cluster there is no sbatch, qsub or condor_submit$/,
    )
    await expect(openCluster({ scheduler: 'pbs', practice: { schedulers: ['slurm'] } })).rejects.toThrow(
      /^--scheduler: received "pbs"; accepts what the host has: on the practice cluster there is sbatch/,
    )
  })

  it('has Slurm without accounting, too', async () => {
    await using opened = await open({ practice: { accounting: false, schedulers: ['slurm'] } })
    expect(opened.cluster.dialect.title).toBe('Slurm, without accounting')
    const job = await opened.submit({ command: ['sh', '-c', 'kill -9 $$'] })
    expect(await opened.ended(job)).toMatchObject([{ state: 'failed', exitCode: 137, signal: '9' }])
  })

  it('has PBS without a job history, too: the exit-code files say how jobs ended', async () => {
    await using opened = await open({ practice: { accounting: false, schedulers: ['pbs'] } })
    const job = await opened.submit({ command: ['sh', '-c', 'exit $TASK_ID'], array: [0, 3] })
    expect(await opened.ended(job)).toMatchObject([
      { task: 0, state: 'completed', exitCode: 0 },
      { task: 3, state: 'failed', exitCode: 3 },
    ])
    expect(await opened.cluster.queue()).toEqual([])
  })

  it('may have an account whose start-up files print: nothing of that is taken for an answer', async () => {
    await using opened = await open({ practice: { schedulers: ['slurm'] } })
    const { practice, cluster } = opened
    // What an account's .bashrc would do, before every command that it is given.
    await writeFile(join(practice.home, 'greeting'), 'echo 42; echo "found 7"; echo "1 RUNNING"\n')
    const { connection } = cluster
    const { run } = connection
    connection.run = (command, options) =>
      run(['sh', '-c', 'sh "$HOME/greeting"; exec "$@"', 'sh', ...command], options)
    const job = await opened.submit({ command: ['true'] })
    expect(job.id).toBe('1')
    expect(await opened.ended(job)).toMatchObject([{ id: '1', state: 'completed' }])
  })

  it.each(['before', 'after'])('may have an sbatch that prints another number %s the id', async (place) => {
    await using opened = await open({ practice: { schedulers: ['slurm'] } })
    const { connection } = opened.cluster
    const { run } = connection
    connection.run = async (command, options) => {
      const result = await run(command, options)
      if (!command.includes('sbatch')) return result
      const stdout = place === 'after' ? `${result.stdout}42\n` : result.stdout.replace(/(\d+\n)$/, '42\n$1')
      return { ...result, stdout }
    }
    expect((await opened.submit({ hold: true })).id).toBe('1')
  })

  it('may lose its connection after each half megabyte: files arrive without a hole, and nothing is sent twice', async () => {
    await using opened = await open({ practice: { schedulers: ['slurm'] } })
    await using folder = await temporaryFolder()
    const { connection, home } = opened.cluster
    const [from, back] = ['from', 'back'].map((name) => join(folder.path, name)) as [string, string]
    await mkdir(from)
    const content = randomBytes(4 << 20)
    await writeFile(join(from, 'large'), content)
    for (const copy of [
      (onProgress: (progress: TransferProgress) => void) =>
        connection.upload(from, join(home, 'there'), { onProgress }),
      (onProgress: (progress: TransferProgress) => void) =>
        connection.download(join(home, 'there'), back, { onProgress }),
    ]) {
      let cutAt = 1 << 19
      const { bytes } = await copy((progress) => {
        if (progress.bytes < cutAt) return
        cutAt = progress.bytes + (1 << 19)
        opened.practice.cutConnections()
      })
      expect(bytes).toBeLessThanOrEqual(content.length)
    }
    expect((await readFile(join(back, 'large'))).equals(content)).toBe(true)
  })

  it('has a quota: exceeding it is an error that says so, and leaves no half file', async () => {
    await using opened = await open({ practice: { faults: { quotaBytes: 100_000 } } })
    const { connection, home } = opened.cluster
    await expect(connection.writeFile(join(home, 'large'), Buffer.alloc(200_000))).rejects.toThrow(/quota/)
    await expect(stat(join(home, 'large'))).rejects.toThrow('ENOENT')
  })
})
