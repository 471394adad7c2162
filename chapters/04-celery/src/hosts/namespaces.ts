/**
 * Several machines on one: each host is a network namespace of Linux, with its own network interface, its own addresses
 * and its own /etc/hosts, and a cable to a switch, which is a namespace too. A program on a host can reach the other
 * hosts and nothing else; the machine's own network is not touched. Needs root.
 *
 * A namespace's name says which process made it. Making a lab first removes what dead processes have left.
 */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'

export interface Lab<Host extends string> extends AsyncDisposable {
  /** A command that runs the command after it on that host. */
  launcher: (host: Host) => string[]
  address: (host: Host) => string
  /** Pulls the host's cable: nothing arrives any more, and nobody is notified. */
  cut: (host: Host) => Promise<void>
  heal: (host: Host) => Promise<void>
}

const namespaces = '/run/netns'
/** `ip netns exec` replaces files in /etc by those of a folder in here. */
const files = '/etc/netns'
const namePattern = /^lab-(\d+)-(\d+)-[a-z0-9]+$/

/** Returns why this process cannot make a lab; undefined if it can. */
export async function labProblem(): Promise<string | undefined> {
  if (process.platform !== 'linux') return process.platform
  if (process.getuid?.() !== 0) return `user ${process.getuid?.()} on Linux`
  const found = await ip('-V').catch(() => undefined)
  return found ? undefined : 'root on Linux, without the command "ip" (sudo apt-get install iproute2)'
}

/** Makes hosts that can reach each other by name; disposing of the lab removes them. */
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

  // #region cables
  await addNamespace('switch')
  await onSwitch('link', 'add', 'bridge', 'type', 'bridge')
  await onSwitch('link', 'set', 'bridge', 'up')
  for (const host of hosts) {
    await addNamespace(host)
    // A cable with one end in the switch and one in the host.
    await onSwitch('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', nameOf(host))
    await onSwitch('link', 'set', host, 'master', 'bridge', 'up')
    await ip('-n', nameOf(host), 'address', 'add', `${addressOf(host)}/24`, 'dev', 'eth0')
    await ip('-n', nameOf(host), 'link', 'set', 'eth0', 'up')
  }
  // #endregion cables
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

/** Removes the namespaces and files of dead processes; returns their names. */
export async function removeLeftovers(): Promise<string[]> {
  const entries = await Promise.all([namespaces, files].map((folder) => readdir(folder).catch(() => [])))
  const gone: string[] = []
  for (const name of new Set(entries.flat())) {
    const [, pid, start] = namePattern.exec(name) ?? []
    // A pid may be given to another process, but not with the same start time.
    if (pid !== undefined && (await startOf(Number(pid))) !== start) gone.push(name)
  }
  for (const name of gone) await removeNamespace(name)
  return gone
}

async function removeNamespace(name: string) {
  // It may not exist: not yet, or no longer.
  await ip('netns', 'delete', name).catch(() => {})
  await rm(join(files, name), { recursive: true, force: true })
}

/** When a process started, in the kernel's clock ticks since boot; undefined if there is no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    // After the program's name, which may contain anything: the state and, 18 fields later, the start. See proc(5).
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
