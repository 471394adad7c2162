/** How many cores this process may use. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * Returns the number of cores that this process may use, at least 1. Node's own answer respects a container's quota of one
 * CPU or more; below one it is the number of the host's cores.
 *
 * @param root where the system's `/proc` and `/sys` are
 */
export function coreCount(root = '/'): number {
  return cpuQuota(root) < 1 ? 1 : availableParallelism()
}

/** Returns the share of the CPUs that Linux gives to this process's control group, such as 0.25; Infinity without a limit. */
function cpuQuota(root: string): number {
  // `0::/system.slice/job` in version 2; `4:cpu,cpuacct:/docker/5f` in version 1.
  for (const line of (read(root, 'proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === '' && path !== '') {
      const quota = leastOf(path, (group) => shareOf(read(root, 'sys/fs/cgroup', group, 'cpu.max')))
      if (quota < Infinity) return quota
    }
    if (controllers.split(',').includes('cpu')) {
      return leastOf(path, (group) => {
        const [quota, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((file) =>
          read(root, 'sys/fs/cgroup/cpu', group, file),
        )
        return shareOf(`${quota} ${period}`)
      })
    }
  }
  return Infinity
}

/** A group may use no more than the groups that it is in. */
function leastOf(path: string, quotaOf: (group: string) => number): number {
  const own = quotaOf(path)
  return path === '/' || path === '.' ? own : Math.min(own, leastOf(dirname(path), quotaOf))
}

/** Of microseconds and their period: `25000 100000`; `max 100000` and `-1 100000` mean no limit. */
function shareOf(text = ''): number {
  const [quota = Number.NaN, period = Number.NaN] = text.trim().split(/\s+/).map(Number)
  return quota > 0 ? quota / period : Infinity
}

function read(...path: string[]): string | undefined {
  try {
    return readFileSync(join(...path), 'utf8')
  } catch {
    return undefined
  }
}
