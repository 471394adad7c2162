/** One transfer of a file at a time, among processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { loader } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { expect, it } from 'vitest'
import { discardUpload, downloadFile, uploadFile } from '../../src/storage/files.ts'
import { lock, lockOf } from '../../src/storage/lock.ts'
import { partSize } from '../../src/storage/parts.ts'
import { pseudoRandom } from '../../src/storage/stream.ts'
import { messageOf } from '../fixtures/http-faults.ts'
import { usePracticeBucket } from '../fixtures/practice-bucket.ts'

const { place, s3, bucket } = await usePracticeBucket()

const bytes = partSize + 1000
const target = { bucket, key: 'file' }

it.each(['up', 'down'])('a second process is refused on the way %s, until the first has ended', async (way) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await writeFile(path, pseudoRandom(bytes))
  if (way === 'down') await uploadFile(s3, target, path)

  // The first process has the lock, and gets no answer from the store.
  await using silent = await startProxy({ port: Number(new URL(place.url ?? '').port) })
  silent.block()
  const transfer = { way, place: { ...place, url: `http://${silent.host}:${silent.port}` }, target, path }
  const program = new URL('../fixtures/transfer.program.ts', import.meta.url).pathname
  const first = spawn(process.execPath, [...loader(), program], {
    env: { ...process.env, TRANSFER: JSON.stringify(transfer) },
    stdio: 'ignore',
  })
  const ended = once(first, 'exit')
  try {
    await until(async () => existsSync(lockOf(path)) && (await readFile(lockOf(path), 'utf8')) !== '', {
      timeoutMs: 60_000,
    })
    const move = () => (way === 'up' ? uploadFile : downloadFile)(s3, target, path)
    expect(await messageOf(move())).toBe(
      `${path} is being transferred by another process: wait until it ends; if there is none, remove ${lockOf(path)}`,
    )
    first.kill('SIGKILL')
    await ended
    expect(existsSync(lockOf(path))).toBe(true)
    expect(await move()).toMatchObject({ bytes, resumed: 0 })
    expect(await readdir(folder.path)).toEqual(['file'])
  } finally {
    first.kill('SIGKILL')
    await ended
  }
})

it('an upload is not given up while another process continues it', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await writeFile(path, pseudoRandom(bytes))
  const stop = new AbortController()
  const onProgress = () => stop.abort(new Error('stopped by the test'))
  await expect(uploadFile(s3, target, path, { signal: stop.signal, onProgress, concurrency: 1 })).rejects.toThrow(
    'stopped by the test',
  )
  await writeFile(lockOf(path), JSON.stringify({ host: hostname(), pid: process.ppid }))
  // Nor by one that begins anew because the file has become small.
  await truncate(path, 10)
  for (const giveUp of [() => discardUpload(s3, path), () => uploadFile(s3, target, path)])
    expect(await messageOf(giveUp())).toContain('is being transferred by another process')
  await writeFile(lockOf(path), JSON.stringify({ host: hostname(), pid: process.pid }))
  expect(await discardUpload(s3, path)).toBe(true)
  expect(await readdir(folder.path)).toEqual(['file'])
})

it.each([
  [
    'another host’s process, which cannot be looked up',
    JSON.stringify({ host: `not-${hostname()}`, pid: process.pid }),
  ],
  ['something else', 'own'],
  ['nothing, because it is being written', ''],
])('a lock stays when it names %s', async (_, text) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await writeFile(lockOf(path), text)
  expect(await messageOf(lock(path))).toContain(`remove ${lockOf(path)}`)
  expect(await readFile(lockOf(path), 'utf8')).toBe(text)
  expect(await readdir(folder.path)).toEqual(['file.transfer'])
})
