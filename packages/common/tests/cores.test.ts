import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { coreCount } from '../src/cores.ts'
import { temporaryFolder } from '../src/process/temporary.ts'

/** The cores of a machine with these files. */
async function coresWith(files: Record<string, string>) {
  await using folder = await temporaryFolder()
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, name)), { recursive: true })
    await writeFile(join(folder.path, name), content)
  }
  return coreCount(folder.path)
}

const all = availableParallelism()

it.each([
  ['without control groups', {}, all],
  ['with a quarter of a CPU', { 'proc/self/cgroup': '0::/job\n', 'sys/fs/cgroup/job/cpu.max': '25000 100000\n' }, 1],
  [
    'within a group with less',
    {
      'proc/self/cgroup': '0::/slice/job\n',
      'sys/fs/cgroup/slice/cpu.max': '50000 100000\n',
      'sys/fs/cgroup/slice/job/cpu.max': 'max 100000\n',
    },
    1,
  ],
  ['in a container', { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '99000 100000\n' }, 1],
  ['with a whole CPU', { 'proc/self/cgroup': '0::/job\n', 'sys/fs/cgroup/job/cpu.max': '100000 100000\n' }, all],
  ['without a limit', { 'proc/self/cgroup': '0::/job\n', 'sys/fs/cgroup/job/cpu.max': 'max 100000\n' }, all],
  [
    'with half a CPU by version 1 of the groups',
    {
      'proc/self/cgroup': '12:memory:/a\n4:cpu,cpuacct:/docker/5f\n0::/\n',
      'sys/fs/cgroup/cpu/docker/5f/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu/docker/5f/cpu.cfs_period_us': '100000\n',
    },
    1,
  ],
  [
    'without a limit by version 1 of the groups',
    {
      'proc/self/cgroup': '0::/\n4:cpu:/\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    all,
  ],
])('a process %s', async (_, files, cores) => {
  expect(await coresWith(files)).toBe(cores)
})

it('a process of this machine has at least one, and no more than Node says', () => {
  expect(coreCount()).toBeGreaterThanOrEqual(1)
  expect(coreCount()).toBeLessThanOrEqual(all)
})
