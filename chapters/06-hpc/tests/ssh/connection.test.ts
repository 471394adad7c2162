import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFile, chmod, copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { startServer } from '@repo/common/process/child'
import { processesWith } from '@repo/common/process/marked'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { findOpenSsh, installOpenSsh, makeKey, type OpenSsh, startOpenSsh } from '../../src/real/open-ssh.ts'
import { type Connection, connect } from '../../src/ssh/connection.ts'
import { fingerprint } from '../../src/ssh/known-hosts.ts'
import { hostileArgument, printArguments } from '../hostile.ts'

afterEach(() => vi.unstubAllEnvs())

const execute = promisify(execFile)
const openSsh = { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }

/** The message of the thrown error, with the causes below it. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    const messages: string[] = []
    for (let at = error; at instanceof Error; at = at.cause) messages.push(at.message)
    return messages.join(': ')
  }
  throw new Error('nothing was thrown')
}

describeReal('a connection to a real sshd', openSsh, () => {
  let server: OpenSsh
  let connection: Connection
  beforeAll(async () => {
    server = await startOpenSsh()
    connection = await connect(server.options)
  })
  afterAll(async () => {
    await connection?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  describe('run', () => {
    it('returns what a command printed, its exit code, and the signal that ended it', async () => {
      const command = ['sh', '-c', 'cat; echo wrong >&2; exit 3'] as const
      expect(await connection.run(command, { input: 'in' })).toEqual({ code: 3, stdout: 'in', stderr: 'wrong\n' })
      expect(await connection.run(['sh', '-c', 'kill -9 $$'])).toEqual({
        code: 137,
        signal: 'SIGKILL',
        stdout: '',
        stderr: '',
      })
      expect((await connection.run(['no-such-program'])).code).toBe(127)
    })

    it('passes every argument, variable and folder on unchanged', async () => {
      const program = join(server.folder, 'arguments')
      await connection.writeFile(program, printArguments, { mode: 0o755 })
      await fc.assert(
        fc.asyncProperty(fc.array(hostileArgument, { maxLength: 5 }), async (args) => {
          const { stdout, stderr } = await connection.run([program, ...args], { environment: { A: args[0] ?? '' } })
          expect(stdout.split('\0')).toEqual([args[0] ?? '', ...args, ''])
          expect(stderr).toBe('')
        }),
        { numRuns: 50 },
      )
      const folder = join(server.folder, `a 'folder'\n$(id) \\ !`)
      await connection.mkdir(folder)
      expect((await connection.run(['pwd'], { cwd: folder })).stdout).toBe(`${folder}\n`)
    })

    it('throws where success is required, naming host, command and output', async () => {
      const message = await refusal(connection.output(['sh', '-c', 'echo no such queue >&2; exit 1']))
      expect(message).toBe(
        `${connection.name}: sh -c 'echo no such queue >&2; exit 1' ended with code 1: no such queue`,
      )
      expect(await connection.output(['echo', 'yes'])).toBe('yes\n')
    })

    it('carries outputs larger than any window, on both streams, any number at once', async () => {
      const script = 'head -c 3000000 /dev/zero | tr "\\0" a; head -c 3000000 /dev/zero | tr "\\0" b >&2'
      const results = await Promise.all(Array.from({ length: 3 }, () => connection.run(['sh', '-c', script])))
      for (const { stdout, stderr } of results) {
        expect([stdout.length, stderr.length]).toEqual([3_000_000, 3_000_000])
        expect(/^a+$/.test(stdout) && /^b+$/.test(stderr)).toBe(true)
      }
    })

    it('stops waiting when asked to, and remains usable', async () => {
      const controller = new AbortController()
      const running = connection.run(['sleep', '20'], { signal: controller.signal })
      const waiting = Array.from({ length: 20 }, () => connection.run(['true'], { signal: controller.signal }))
      waiting.push(running)
      await connection.run(['true'])
      controller.abort(new Error('enough'))
      await expect(running).rejects.toThrow('enough')
      await Promise.allSettled(waiting)
      expect(await connection.output(['echo', 'on'])).toBe('on\n')
    })
  })

  describe('start and shell', () => {
    it('deliver lines as they come, and end with everything they have started', async () => {
      const log = join(server.folder, 'log')
      await connection.writeFile(log, 'first\n')
      await using follower = await connection.start(['sh', '-c', `tail -f ${log}; true`])
      const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]()
      expect((await lines.next()).value).toBe('first')
      await appendFile(log, 'second\n')
      expect((await lines.next()).value).toBe('second')
      const isThere = async () => (await execute('ps', ['-A', '-o', 'args='])).stdout.includes(log)
      expect(await isThere()).toBe(true)
      follower.kill()
      expect((await follower.exited).code).toBe(143)
      await until(async () => !(await isThere()))

      await using ending = await connection.start(['sh', '-c', 'echo out; echo error >&2; exit 9'])
      expect((await text(ending.stderr)) + (await text(ending.stdout))).toBe('error\nout\n')
      expect(await ending.exited).toEqual({ code: 9 })
    })

    it('may be read only in part', async () => {
      await using counting = await connection.start(['seq', '1', '300000'])
      for await (const line of createInterface({ input: counting.stdout })) if (line === '10') break
      counting.stdout.destroy()
      expect(await counting.exited).toEqual({ code: 0 })
    })

    it('give a shell a terminal', async () => {
      await using shell = await connection.start(['sh'], { terminal: { columns: 71, rows: 13 } })
      let shown = ''
      shell.stdout.on('data', (data) => {
        shown += data
      })
      shell.stdin.write('stty size; echo done-$((1+1))\n')
      await until(() => /13 71[\s\S]*done-2/.test(shown))
      shell.resize(90, 20)
      shell.stdin.write('stty size; exit 5\n')
      expect(await shell.exited).toEqual({ code: 5 })
      expect(shown).toContain('20 90')
    })
  })

  it('finds out how many sessions the host allows, and keeps to that', async () => {
    await using strict = await startOpenSsh({ settings: { MaxSessions: '2' } })
    await using own = await connect(strict.options)
    await own.writeFile(join(strict.folder, 'file'), 'kept at hand')
    const numbers = Array.from({ length: 30 }, (_, at) => String(at))
    const outputs = await Promise.all(numbers.map((number) => own.output(['echo', number])))
    expect(outputs).toEqual(numbers.map((number) => `${number}\n`))
    expect((await own.readFile(join(strict.folder, 'file'))).toString()).toBe('kept at hand')
  })

  it('says so when the host opens no session at all', async () => {
    await using strict = await startOpenSsh({ settings: { MaxSessions: '0' } })
    await using own = await connect(strict.options)
    expect(await refusal(own.run(['true']))).toMatch(`${own.name}: the host opens no session for true: `)
  })

  describe('the host key', () => {
    it('must be known; only the accepted key is written down, once', async () => {
      await using folder = await temporaryFolder()
      const knownHostsFile = join(folder.path, 'new', 'known_hosts')
      const options = { ...server.options, knownHostsFile }
      const key = Buffer.from((await readFile(server.knownHostsFile, 'utf8')).split(' ')[2] ?? '', 'base64')
      const unknown = await refusal(connect(options))
      expect(unknown).toContain(`${connection.name}: the host key is unknown: it shows ssh-ed25519 ${fingerprint(key)}`)
      expect(unknown).toContain(knownHostsFile)
      expect(await refusal(connect({ ...options, acceptNewHost: 'SHA256:other' }))).toContain('not SHA256:other')
      await expect(readFile(knownHostsFile)).rejects.toThrow('ENOENT')

      await (await connect({ ...options, acceptNewHost: fingerprint(key) }))[Symbol.asyncDispose]()
      await (await connect(options))[Symbol.asyncDispose]()
      // OpenSSH itself reads what was written.
      const known = await execute('ssh-keygen', ['-F', `[127.0.0.1]:${server.port}`, '-f', knownHostsFile])
      expect(known.stdout).toContain(key.toString('base64'))
    })

    it('cannot be looked up without ssh-keygen, and then only the named one is accepted', async () => {
      const key = Buffer.from((await readFile(server.knownHostsFile, 'utf8')).split(' ')[2] ?? '', 'base64')
      const before = await readFile(server.knownHostsFile, 'utf8')
      await using folder = await temporaryFolder()
      vi.stubEnv('PATH', folder.path)
      const refused = await refusal(connect(server.options))
      expect(refused).toContain(`the host key cannot be looked up: it shows ssh-ed25519 ${fingerprint(key)}; `)
      expect(refused).toContain('the program ssh-keygen is missing: sudo apt-get install openssh-client')
      await (await connect({ ...server.options, acceptNewHost: fingerprint(key) }))[Symbol.asyncDispose]()
      await (await connect({ ...server.options, knownHostsFile: false, acceptNewHost: fingerprint(key) }))[
        Symbol.asyncDispose
      ]()
      expect(await readFile(server.knownHostsFile, 'utf8')).toBe(before)
    })

    it('is looked up within the deadline for connecting', async () => {
      await using folder = await temporaryFolder()
      await writeFile(join(folder.path, 'ssh-keygen'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 })
      vi.stubEnv('PATH', `${folder.path}:${process.env.PATH}`)
      expect(await refusal(connect({ ...server.options, connectTimeoutMs: 300 }))).toContain('no answer within 0.3 s')
    })

    it('must not have changed or been revoked', async () => {
      await using folder = await temporaryFolder()
      const knownHostsFile = join(folder.path, 'known_hosts')
      await makeKey(join(folder.path, 'other'))
      const other = (await readFile(join(folder.path, 'other.pub'), 'utf8')).split(' ').slice(0, 2).join(' ')
      await writeFile(knownHostsFile, `# one line\n[127.0.0.1]:${server.port} ${other}\n`)
      const options = { ...server.options, knownHostsFile }
      const shown = fingerprint(
        Buffer.from((await readFile(server.knownHostsFile, 'utf8')).split(' ')[2] ?? '', 'base64'),
      )
      // Accepting is for new hosts only.
      const changed = await refusal(connect({ ...options, acceptNewHost: shown }))
      expect(changed).toContain(
        `the host key has changed: it shows ssh-ed25519 ${shown}, not the key of ${knownHostsFile}:2`,
      )

      const own = await readFile(server.knownHostsFile, 'utf8')
      await writeFile(knownHostsFile, `${own}@revoked ${own}`)
      expect(await refusal(connect(options))).toContain(`which ${knownHostsFile}:2 says is revoked`)
    })
  })

  describe('the user', () => {
    it('is not let in with a wrong key or a wrong name, and is told which keys were tried', async () => {
      await using folder = await temporaryFolder()
      const wrong = join(folder.path, 'wrong')
      await makeKey(wrong)
      const message = await refusal(connect({ ...server.options, identityFile: [wrong, join(folder.path, 'missing')] }))
      expect(message).toMatch(
        `${connection.name}: the host does not let ${server.user} in; tried ${wrong} (ssh-ed25519 SHA256:`,
      )
      expect(message).toContain(`${join(folder.path, 'missing')} (missing)`)
      expect(await refusal(connect({ ...server.options, user: 'no-such-user' }))).toContain(
        'does not let no-such-user in',
      )
      expect(message).not.toContain((await readFile(wrong, 'utf8')).split('\n')[1])

      const notAKey = join(folder.path, 'text')
      await writeFile(notAKey, 'no key at all')
      expect(await refusal(connect({ ...server.options, identityFile: notAKey }))).toContain(
        'no private key that can be read',
      )
    })

    it('is let in by the last of several keys, though the host has little patience and one is named twice', async () => {
      await using strict = await startOpenSsh({ settings: { MaxAuthTries: '2' } })
      await using folder = await temporaryFolder()
      const wrong = join(folder.path, 'wrong')
      await makeKey(wrong)
      const configFile = join(folder.path, 'config')
      const own = `HostName 127.0.0.1\nPort ${strict.port}\nUserKnownHostsFile ${strict.knownHostsFile}\nIdentityAgent none`
      const twice = `Host a\n  IdentityFile ${wrong}\nHost *\n  IdentityFile ${wrong}\n  IdentityFile ${strict.identityFile}\n`
      await writeFile(configFile, `${twice}${own}\n`)
      await using client = await connect({ host: 'a', configFile })
      expect(await client.output(['echo', 'in'])).toBe('in\n')
    })

    it('opens a key with its passphrase, which is never shown', async () => {
      await using folder = await temporaryFolder()
      const locked = join(folder.path, 'locked')
      await copyFile(server.identityFile, locked)
      await chmod(locked, 0o600)
      await execute('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', locked])
      const options = { ...server.options, identityFile: locked }
      expect(await refusal(connect(options))).toContain(`${locked} (encrypted, and no passphrase was given)`)
      const wrong = await refusal(connect({ ...options, passphrase: 'open barley' }))
      expect(wrong).toContain(`${locked} (the passphrase does not open it)`)
      expect(wrong).not.toContain('barley')

      const asked: string[] = []
      await using own = await connect({
        ...options,
        passphrase: (file) => {
          asked.push(file)
          return 'open sesame'
        },
      })
      expect(asked).toEqual([locked])
      expect(await own.output(['echo', 'in'])).toBe('in\n')
    })

    it('is let in with a key that only the agent has, even if the agent has more keys than the host has patience for', async () => {
      await using folder = await temporaryFolder()
      const socket = join(folder.path, 'agent')
      {
        await using _ = await startServer({ command: 'ssh-agent', args: ['-D', '-a', socket], ready: /SSH_AUTH_SOCK/ })
        const add = (...keys: string[]) =>
          execute('ssh-add', ['-q', ...keys], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
        const others = Array.from({ length: 7 }, (_, at) => join(folder.path, `other-${at}`))
        for (const other of others) await makeKey(other)
        await add(server.identityFile)
        const locked = join(folder.path, 'locked')
        await copyFile(`${server.identityFile}.pub`, `${locked}.pub`)
        const options = { ...server.options, identityFile: locked, agent: socket }
        await (await connect(options))[Symbol.asyncDispose]()

        await add('-D')
        await add(...others, server.identityFile)
        expect(await refusal(connect(options))).toMatch(/does not let .* in; tried .* the agent at /)
        const configFile = join(folder.path, 'config')
        await writeFile(configFile, 'IdentitiesOnly yes\n')
        await (await connect({ ...options, configFile }))[Symbol.asyncDispose]()
        // A public key may be named instead of the private one, which only the agent has.
        await (await connect({ ...options, configFile, identityFile: `${locked}.pub` }))[Symbol.asyncDispose]()
      }
      expect(await refusal(connect({ ...server.options, identityFile: [], agent: socket }))).toContain('the agent at')
    })
  })

  it('finds everything in a configuration file, and jumps through a host that it checks as well', async () => {
    await using gate = await startOpenSsh()
    await using folder = await temporaryFolder()
    const knownHostsFile = join(folder.path, 'known_hosts')
    const hosts = await Promise.all([server, gate].map((each) => readFile(each.knownHostsFile, 'utf8')))
    const lines = hosts.map((text, at) => text.replace('*', String([server, gate][at]?.port)))
    await writeFile(knownHostsFile, lines.join(''))
    const configFile = join(folder.path, 'config')
    await writeFile(
      configFile,
      `Host *
        HostName 127.0.0.1
        User ${server.user}
        UserKnownHostsFile ${knownHostsFile}
        IdentityAgent none
      Host inner
        Port ${server.port}
        IdentityFile ${server.identityFile}
        ProxyJump gate
      Host gate
        Port ${gate.port}
        IdentityFile ${gate.identityFile}\n`,
    )
    await using proxy = await startProxy({ port: gate.port })
    {
      await using inner = await connect({ host: 'inner', configFile })
      expect(await inner.output(['echo', 'through'])).toBe('through\n')
      // One of another connection, such as the question whether it listens, may end a little later.
      await until(async () => (await gate.sessions()).length === 1)
    }
    await until(async () => (await gate.sessions()).length === 0)

    await writeFile(knownHostsFile, lines[0] ?? '')
    const refused = await refusal(connect({ host: 'inner', configFile }))
    expect(refused).toContain(`127.0.0.1:${gate.port}: the host key is unknown`)
    await writeFile(configFile, (await readFile(configFile, 'utf8')).replace(String(gate.port), String(proxy.port)))
    proxy.refuse()
    expect(await refusal(connect({ host: 'inner', configFile }))).toContain(`127.0.0.1:${proxy.port}: no connection`)
    proxy.heal()
    proxy.block()
    // It bounds the whole way: time enough for `ssh -G` of both hosts on a busy machine.
    const late = await refusal(connect({ host: 'inner', configFile, connectTimeoutMs: 5_000 }))
    expect(late).toMatch(/no answer within [\d.]+ s/)
  })

  it('says what stands in the way of a connection', async () => {
    await expect(connect('no host at all')).rejects.toThrow(
      'host: received "no host at all"; accepts [user@]host[:port]',
    )
    const { port } = await startProxy({ port: server.port }).then(async (proxy) => {
      await proxy[Symbol.asyncDispose]()
      return proxy
    })
    expect(await refusal(connect({ ...server.options, port }))).toMatch(/: no connection: .*ECONNREFUSED/)
    for (const name of ['connectTimeoutMs', 'keepAliveMs', 'reconnectMs']) {
      await expect(connect({ ...server.options, [name]: Number.NaN })).rejects.toThrow(`${name}: received NaN; accepts`)
    }
    await expect(connect({ ...server.options, maxSessions: 0 })).rejects.toThrow('maxSessions: received 0; accepts')
    const never = { connectTimeoutMs: Number.POSITIVE_INFINITY, keepAliveMs: 2 ** 31, reconnectMs: 30 * 86_400_000 }
    await using patient = await connect({ ...server.options, ...never })
    expect(await patient.output(['echo', 'in'])).toBe('in\n')
    await using silent = await startProxy({ port: server.port })
    silent.block()
    const options = { ...server.options, port: silent.port }
    expect(await refusal(connect({ ...options, connectTimeoutMs: 200 }))).toContain('no answer within 0.2 s')
    const controller = new AbortController()
    const waiting = connect({ ...options, signal: controller.signal })
    controller.abort(new Error('changed my mind'))
    await expect(waiting).rejects.toThrow('changed my mind')
  })

  it('leaves nothing behind', async () => {
    let pids: number[] = []
    let port = 0
    const mark = randomUUID()
    {
      await using own = await startOpenSsh({ environment: { PRACTICE_MARK: mark } })
      await using client = await connect(own.options)
      await client.start(['sleep', '1000'])
      await client.run(['true'])
      port = own.port
      // One of another connection, such as the question whether it listens, may end a little later.
      await until(async () => {
        pids = await own.sessions()
        return pids.length === 1
      })
      expect(await until(() => processesWith('PRACTICE_MARK', mark))).not.toEqual([])
    }
    await until(() => !pids.some(isRunning))
    await until(async () => (await processesWith('PRACTICE_MARK', mark)).length === 0)
    expect(await refusal(connect({ ...server.options, port }))).toContain('ECONNREFUSED')
  })
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
