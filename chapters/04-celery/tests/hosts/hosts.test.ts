/** Hosts as network namespaces: names, cables, and nothing left behind. hosts.long.test.ts sorts on them. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it, vi } from 'vitest'
import { makeLab, removeLeftovers } from '../../src/hosts/namespaces.ts'
import { labNeeds, labs } from '../fixtures/labs.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeReal('a lab', labNeeds, () => {
  const run = async ([command = '', ...first]: string[], ...args: string[]) =>
    (await promisify(execFile)(command, [...first, ...args])).stdout
  /** Connects to a port where nobody listens: refused says that the host is there, silence that it is not. */
  const script = `
    const socket = require('node:net').connect({ host: process.argv[1], port: 9 })
    socket.on('error', ({ code }) => end(code))
    setTimeout(() => end('silence'), 1500)
    function end(what) { console.log(what); process.exit() }`

  it('gives each host a name that all others know, a network of its own, and a cable that can be pulled', async () => {
    const hosts = await readFile('/etc/hosts', 'utf8')
    {
      await using lab = await makeLab(['left', 'right'])
      expect(await labs(String(process.pid))).toHaveLength(6)
      const reach = (from: 'left' | 'right', to: string) => run(lab.launcher(from), process.execPath, '-e', script, to)
      const reaches = (from: 'left' | 'right', to: string) =>
        until(async () => (await reach(from, to)) === 'ECONNREFUSED\n', { timeoutMs: 60_000 })
      await reaches('left', 'right')
      await reaches('right', lab.address('left'))
      expect(await run(lab.launcher('left'), 'ip', '-o', 'link')).not.toMatch(/bridge|right/)
      await lab.cut('right')
      expect(await reach('left', 'right')).toMatch(/silence|EHOSTUNREACH/)
      await lab.heal('right')
      await reaches('left', 'right')
      // That of this process is another one.
      expect(await run(['ip'], '-o', 'link')).not.toMatch(/: (left|right|bridge)[@:]/)
    }
    expect(await labs(String(process.pid))).toEqual([])
    expect(await readFile('/etc/hosts', 'utf8')).toBe(hosts)
  })

  it('removes what an owner has left that was killed, and nothing of one that lives', async () => {
    await using _lab = await makeLab(['mine'])
    const env = { REDIS_URL: undefined }
    const run = await runExample(chapter, 'four-hosts', ['--n', '10000'], {
      env,
      interruptWhen: /host4/,
      interruptWith: 'SIGKILL',
    })
    expect(run.signal).toBe('SIGKILL')
    expect(await run.leftBehind()).toEqual([])
    // Another test file may have been quicker.
    await removeLeftovers()
    // Each name has an owner that lives. One of another test file may be just gone, and its name with it.
    await until(async () => {
      const pids = (await labs()).map((name) => name.split('-')[1] ?? '')
      const running = await readdir('/proc')
      return pids.every((pid) => running.includes(pid))
    })
    expect(await labs(String(process.pid))).toHaveLength(4)
  })
})

describe('four-hosts', () => {
  it.skipIf(process.platform === 'win32')('says in one line what it needs', async () => {
    const anybody = vi.spyOn(process, 'getuid').mockReturnValue(1_000)
    const { code, stdout, stderr } = await said('four-hosts', []).finally(() => anybody.mockRestore())
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: four-hosts: received ".*"; accepts root on Linux.*\n$/)
  })

  it.each([
    ['--n', '10'],
    ['--chunks', '1'],
    ['--lock', 'x'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stderr } = await said('four-hosts', [option, value])
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
