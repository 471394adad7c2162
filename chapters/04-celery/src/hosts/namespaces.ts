/**
 * Several machines on one: each host is a network namespace of Linux, with its own network interface, its own addresses and
 * its own /etc/hosts, and a cable to a switch, which is a namespace too. What runs on a host can reach the other hosts, and
 * nothing else; the machine's own network is not touched. Needs root.
 *
 * The names of the namespaces say who made them. Whoever makes a lab first removes what owners that are gone have left.
 */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'

export interface Lab<Host extends string> extends AsyncDisposable {
  /** The command that becomes another command, on that host. */
  launcher: (host: Host) => string[]
  address: (host: Host) => string
  /** Pulls the host's cable: nothing arrives any more, and nobody is told. */
  cut: (host: Host) => Promise<void>
  heal: (host: Host) => Promise<void>
}

const namespaces = '/run/netns'
/** `ip netns exec` puts the files of a folder here in the place of those in /etc. */
const files = '/etc/netns'
const namePattern = /^lab-(\d+)-(\d+)-[a-z0-9]+$/

/** Why this process cannot make a lab; undefined when it can. */
export async function labProblem(): Promise<string | undefined> {
  if (process.platform !== 'linux') return process.platform
  if (process.getuid?.() !== 0) return `user ${process.getuid?.()} on Linux`
  const found = await ip('-V').catch(() => undefined)
  return found ? undefined : 'root on Linux, without the command "ip" (sudo apt-get install iproute2)'
}

/** Makes hosts that can reach each other by their names; disposing of it removes them. */
export async function makeLab<Host extends string>(hosts: readonly Host[]): Promise<Lab<Host>> {
  await removeLeftovers()
  const owner = `lab-${process.pid}-${await startOf(process.pid)}`
  const nameOf = (host: string) => `${owner}-${host}`
  const addressOf = (host: Host) => `10.77.0.${hosts.indexOf(host) + 1}`
  const table = hosts.map((host) => `${addressOf(host)} ${host}\n`).join('')

  await using stack = new AsyncDisposableStack()
  stack.defer(async () => void (await rmdir(files).catch(() => {})))
  async function addNamespace(host: string) {
    stack.defer(() => removeNamespace(nameOf(host)))
    const folder = join(files, nameOf(host))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n${table}`)
    await ip('netns', 'add', nameOf(host))
    await ip('-n', nameOf(host), 'link', 'set', 'lo', 'up')
  }
  const onSwitch = (...command: string[]) => ip('-n', nameOf('switch'), ...command)

  await addNamespace('switch')
  await onSwitch('link', 'add', 'bridge', 'type', 'bridge')
  await onSwitch('link', 'set', 'bridge', 'up')
  for (const host of hosts) {
    await addNamespace(host)
    // A cable with one end in each of the two.
    await onSwitch('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', nameOf(host))
    await onSwitch('link', 'set', host, 'master', 'bridge', 'up')
    await ip('-n', nameOf(host), 'address', 'add', `${addressOf(host)}/24`, 'dev', 'eth0')
    await ip('-n', nameOf(host), 'link', 'set', 'eth0', 'up')
  }
  const owned = stack.move()
  return {
    launcher: (host) => ['ip', 'netns', 'exec', nameOf(host)],
    address: addressOf,
    cut: async (host) => void (await onSwitch('link', 'set', host, 'down')),
    heal: async (host) => void (await onSwitch('link', 'set', host, 'up')),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function ip(...args: string[]): Promise<string> {
  return (await promisify(execFile)('ip', args)).stdout
}

/** Removes the namespaces and files whose owner is gone; returns their names. */
export async function removeLeftovers(): Promise<string[]> {
  const entries = await Promise.all([namespaces, files].map((folder) => readdir(folder).catch(() => [])))
  const gone: string[] = []
  for (const name of new Set(entries.flat())) {
    const [, pid, start] = namePattern.exec(name) ?? []
    // A pid is given again to others, but not with the same start.
    if (pid !== undefined && (await startOf(Number(pid))) !== start) gone.push(name)
  }
  for (const name of gone) await removeNamespace(name)
  return gone
}

async function removeNamespace(name: string) {
  // One that was not made, or is gone, is no trouble.
  await ip('netns', 'delete', name).catch(() => {})
  await rm(join(files, name), { recursive: true, force: true })
}

/** When a process was started, in the kernel's clock ticks since the machine was; undefined when there is no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    // After the program's name, which may contain anything: the state, and 18 fields later the start. See proc(5).
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
