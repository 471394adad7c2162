/** Finds servers that `npm run engines` installs below node_modules/.cache, or that are on PATH. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const installed = (name: string) =>
  fileURLToPath(new URL(`../../../node_modules/.cache/engines/bin/${name}`, import.meta.url))

/** The interpreter of `npm run engines`, which has Temporal's library. */
export const enginesPython = installed('python')

/** Returns the path and the version of a program; undefined if it is nowhere. */
export async function findProgram(name: string) {
  for (const path of [installed(name), name]) {
    const said = await promisify(execFile)(path, ['--version']).catch(() => undefined)
    // Temporal's command names its own version first.
    const version = /\d+\.\d+\.\d+/.exec(said?.stdout.replace(/^.*\(Server /, '') ?? '')?.[0]
    if (version !== undefined) return { path, version }
  }
  return undefined
}

/** Whether somebody listens on a port of this machine. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
