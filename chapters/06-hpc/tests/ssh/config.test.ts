import { readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { findOpenSsh, installOpenSsh } from '../../src/real/open-ssh.ts'
import { parseTarget, resolveHost } from '../../src/ssh/config.ts'
import { connect } from '../../src/ssh/connection.ts'

/** As for OpenSSH, this is the account's own; HOME does not count. */
const home = userInfo().homedir

describe('parseTarget', () => {
  it.each([
    ['cluster', { host: 'cluster' }],
    ['ada@login.example.org', { user: 'ada', host: 'login.example.org' }],
    ['ada@10.0.0.1:2222', { user: 'ada', host: '10.0.0.1', port: 2222 }],
    ['ssh://ada@[::1]:22', { user: 'ada', host: '::1', port: 22 }],
    ['ada@example.org@gate:22', { user: 'ada@example.org', host: 'gate', port: 22 }],
    ['CORP/ada@gate', { user: 'CORP/ada', host: 'gate' }],
  ])('reads %s', (text, target) => {
    expect(parseTarget(text)).toEqual(target)
  })

  it.each(['', 'a b', 'ada@', '@host', 'host:', 'host:0', 'host:65536', '-oProxyCommand=id', 'host;id', 'host\nx'])(
    'refuses %j',
    (text) => {
      expect(parseTarget(text)).toBeUndefined()
    },
  )
})

afterEach(() => vi.unstubAllEnvs())

describe('resolveHost', () => {
  it('has a default for everything when no configuration is read', async () => {
    const settings = await resolveHost({ host: 'cluster' }, { configFile: false })
    expect(settings).toMatchObject({ host: 'cluster', port: 22, user: userInfo().username, jumps: [] })
    expect(settings.identityFiles[0]).toBe(join(home, '.ssh', 'id_ed25519'))
    expect(settings.knownHostsFiles[0]).toBe(join(home, '.ssh', 'known_hosts'))
  })

  it('reaches a host by name, user and port without the program ssh, and says that it is missing', async () => {
    await using folder = await temporaryFolder()
    vi.stubEnv('PATH', folder.path)
    const settings = await resolveHost({ user: 'ada', host: 'cluster', port: 2222 })
    expect(settings).toMatchObject({ user: 'ada', host: 'cluster', port: 2222, jumps: [] })
    expect(settings.identityFiles[0]).toBe(join(home, '.ssh', 'id_ed25519'))
    expect(settings.unread).toBe(
      'the SSH configuration was not read, because the program ssh is missing: sudo apt-get install openssh-client',
    )
    const configFile = join(folder.path, 'config')
    await expect(resolveHost({ host: 'cluster' }, { configFile })).rejects.toThrow(
      `${configFile} cannot be read, because the program ssh is missing: `,
    )
    await expect(connect('ada@127.0.0.1:1')).rejects.toThrow(
      /^ada@127\.0\.0\.1:1: no connection \(the SSH configuration was not read, because .*\)$/,
    )
  })
})

describeReal('what OpenSSH reads', { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }, () => {
  /** @param more files beside the configuration, whose folder is FOLDER in its text */
  async function resolved(config: string, host: string, more: Record<string, string> = {}) {
    await using folder = await temporaryFolder()
    const write = (name: string, text: string) =>
      writeFile(join(folder.path, name), text.replaceAll('FOLDER', folder.path))
    for (const [name, text] of Object.entries({ ...more, config })) await write(name, text)
    const target = parseTarget(host)
    if (!target) throw new Error(host)
    return await resolveHost(target, { configFile: join(folder.path, 'config') })
  }

  it('takes the first value of each setting, and every IdentityFile', async () => {
    const config = `
      Host big
        HostName login.%h.example.org
        User ada
        Port 2222
        IdentityFile ~/.ssh/%r@%n
        IdentityFile "/keys/with space"
        IdentitiesOnly yes
      Host *
        User nobody
        Port 1
        IdentityFile ~/.ssh/last
        UserKnownHostsFile ~/known_%p "/known hosts/too"
        GlobalKnownHostsFile /etc/ssh/hosts
        HostKeyAlias gate`
    expect(await resolved(config, 'big')).toEqual({
      alias: 'big',
      host: 'login.big.example.org',
      port: 2222,
      user: 'ada',
      identityFiles: [join(home, '.ssh/ada@big'), '/keys/with space', join(home, '.ssh/last')],
      identitiesOnly: true,
      agent: process.env.SSH_AUTH_SOCK,
      knownHostsFiles: [join(home, 'known_2222'), '/known hosts/too', '/etc/ssh/hosts'],
      hostKeyAlias: 'gate',
      jumps: [],
    })
    expect(await resolved(config, 'eve@big:3333')).toMatchObject({ user: 'eve', port: 3333 })
    expect(await resolved(config, 'other')).toMatchObject({ host: 'other', user: 'nobody', port: 1 })
  })

  it('understands patterns, their exceptions, Match, and keywords in any case', async () => {
    const config = `
      host *.hpc !old.hpc
        user new
      match host old.hpc
        user old`
    expect((await resolved(config, 'a.hpc')).user).toBe('new')
    expect((await resolved(config, 'old.hpc')).user).toBe('old')
    expect((await resolved(config, 'hpc')).user).toBe(userInfo().username)
  })

  it('takes ? for exactly one character', async () => {
    const config = 'Host node?\n  User question\nHost *\n  User fallback'
    expect((await resolved(config, 'node')).user).toBe('fallback')
    expect((await resolved(config, 'node1')).user).toBe('question')
  })

  it('takes # for a comment only where a word begins', async () => {
    const config = 'Host k\n  IdentityFile ~/.ssh/c#_project\n  User ada#1\n  Port 2222 # a real comment'
    const identityFiles = [join(home, '.ssh/c#_project')]
    expect(await resolved(config, 'k')).toMatchObject({ identityFiles, user: 'ada#1', port: 2222 })
  })

  it('keeps a key that is named twice only once', async () => {
    const config = 'Host a\n  IdentityFile ~/.ssh/k\nHost *\n  IdentityFile ~/.ssh/k\nMatch final all\n  Port 2222'
    expect(await resolved(config, 'a')).toMatchObject({ identityFiles: [join(home, '.ssh/k')], port: 2222 })
  })

  it('reads included files, by patterns, and continues in the block it was in', async () => {
    const config = `Include FOLDER/*.conf FOLDER/missing\nUser general\nHost big\n  Include FOLDER/ports\n  IdentityFile /k`
    const more = { '1.conf': 'Host big\n  HostName one', '2.conf': 'Host *\n  HostName two', ports: 'Port 4444' }
    expect(await resolved(config, 'big', more)).toMatchObject({ host: 'one', user: 'general', port: 4444 })
    expect(await resolved(config, 'small', more)).toMatchObject({ host: 'two', user: 'general', port: 22 })
    await expect(resolved('Include FOLDER/config', 'big')).rejects.toThrow(
      'big: OpenSSH refuses its configuration: Too many recursive configuration includes',
    )
  })

  it('keeps an included file within the block that includes it', async () => {
    const config = 'Host work-*\n  Include FOLDER/work.conf\nHost *\n  User me'
    const more = { 'work.conf': 'Host *\n  User worker\n  IdentityFile /keys/work\nHost work-gpu\n  Port 2222' }
    const home = await resolved(config, 'home', more)
    expect(home).toMatchObject({ user: 'me', port: 22 })
    expect(home.identityFiles).not.toContain('/keys/work')
    const work = { user: 'worker', port: 2222, identityFiles: ['/keys/work'] }
    expect(await resolved(config, 'work-gpu', more)).toMatchObject(work)
  })

  it('fills in environment variables, and names one that is not set', async () => {
    const config = `Host a
      IdentityAgent $AGENT_FOR_WORK
      IdentityFile \${KEYS}/work
      UserKnownHostsFile \${KEYS}/known_hosts`
    vi.stubEnv('AGENT_FOR_WORK', '/run/agent')
    vi.stubEnv('KEYS', '/keys')
    const settings = await resolved(config, 'a')
    expect(settings).toMatchObject({ agent: '/run/agent', identityFiles: ['/keys/work'] })
    expect(settings.knownHostsFiles[0]).toBe('/keys/known_hosts')
    vi.stubEnv('KEYS', undefined)
    await expect(resolved(config, 'a')).rejects.toThrow(/^a: OpenSSH refuses its configuration: .*KEYS/)
    vi.stubEnv('AGENT_FOR_WORK', undefined)
    await expect(resolved('IdentityAgent $AGENT_FOR_WORK', 'a')).rejects.toThrow('AGENT_FOR_WORK, which is not set')
  })

  it('takes "none" to mean no agent, no keys and no files', async () => {
    const config = 'IdentityAgent none\nIdentityFile none\nUserKnownHostsFile none\nGlobalKnownHostsFile none'
    const settings = await resolved(config, 'x')
    expect(settings).toMatchObject({ identityFiles: [], knownHostsFiles: [] })
    expect(settings.agent).toBeUndefined()
  })

  it('runs a Match exec, as ssh does, and nothing else in the file', async () => {
    await using folder = await temporaryFolder()
    const [matched, jumped] = [join(folder.path, 'matched'), join(folder.path, 'jumped')]
    const config = `Match exec "touch ${matched}"\n  User caught\nHost *\n  ProxyCommand touch ${jumped}`
    await expect(resolved(config, 'any')).rejects.toThrow('any has a ProxyCommand, which is not supported')
    expect(await readFile(matched, 'utf8')).toBe('')
    await expect(readFile(jumped)).rejects.toThrow('ENOENT')
    expect((await resolved(`Match exec false\n  User caught\nHost *\n  User safe`, 'any')).user).toBe('safe')
  })

  it('gives up on ssh -G after a timeout, or when aborted', async () => {
    await using folder = await temporaryFolder()
    const configFile = join(folder.path, 'config')
    await writeFile(configFile, 'Match exec "sleep 20"\n  User late')
    await expect(resolveHost({ host: 'any' }, { configFile, timeoutMs: 300 })).rejects.toThrow(
      'any: ssh -G did not answer within 0.3 s',
    )
    const controller = new AbortController()
    const waiting = resolveHost({ host: 'any' }, { configFile, signal: controller.signal })
    controller.abort(new Error('changed my mind'))
    await expect(waiting).rejects.toThrow('changed my mind')
  })

  it('starts no other program to canonicalise a name', async () => {
    await using folder = await temporaryFolder()
    const proof = join(folder.path, 'proof')
    await writeFile(join(folder.path, 'nslookup'), `#!/bin/sh\ntouch ${proof}\nsleep 10\n`, { mode: 0o755 })
    vi.stubEnv('PATH', `${folder.path}:${process.env.PATH}`)
    const config = 'CanonicalizeHostname yes\nCanonicalDomains example.invalid\nHost login\n  User ada'
    expect((await resolved(config, 'login')).user).toBe('ada')
    await expect(readFile(proof)).rejects.toThrow('ENOENT')
  })

  it('finds the hosts to jump through', async () => {
    const config = `
      Host inner
        ProxyJump ada@gate:2200,middle
      Host direct
        ProxyJump none
      Host tokens
        User eve
        ProxyJump %r@gate-for-%h
      Host *
        ProxyJump gate`
    expect((await resolved(config, 'inner')).jumps).toEqual([
      { user: 'ada', host: 'gate', port: 2200 },
      { host: 'middle' },
    ])
    expect((await resolved(config, 'direct')).jumps).toEqual([])
    expect((await resolved(config, 'tokens')).jumps).toEqual([{ user: 'eve', host: 'gate-for-tokens' }])
    expect((await resolved(config, 'other')).jumps).toEqual([{ host: 'gate' }])
  })

  it.each([
    ['ProxyJump a:b', 'OpenSSH refuses its configuration: FOLDER/config line 1: Invalid ProxyJump "a:b"'],
    ['ProxyJump a;b', 'ProxyJump of x: received "a;b"; accepts [user@]host[:port],…'],
    ['ProxyCommand nc %h %p', 'x has a ProxyCommand, which is not supported; accepts ProxyJump'],
    ['Port many', "OpenSSH refuses its configuration: FOLDER/config line 1: Bad port 'many'."],
    ['Nonsense yes', 'OpenSSH refuses its configuration: FOLDER/config: line 1: Bad configuration option: nonsense'],
  ])('refuses %s', async (config, words) => {
    const [before = '', after = ''] = words.split('FOLDER')
    await expect(resolved(config, 'x')).rejects.toThrow(before)
    await expect(resolved(config, 'x')).rejects.toThrow(after)
  })

  const gate = 'Host *\n  ProxyJump gate\nHost gate\n  HostName 127.0.0.1'
  it.each([
    ['one name', 'Host *\n  ProxyJump gate', 'gate', /^gate: OpenSSH refuses .*: jumphost loop via gate$/],
    ['one host', gate, 'gate', /^gate: its jump hosts never end: gate → gate$/],
    ['a host behind it', gate, 'other', /^other: its jump hosts never end: other → gate → gate$/],
    ['two hosts', 'Host a\n  ProxyJump b\nHost b\n  ProxyJump a', 'a', /^a: its jump hosts never end: a → b → a$/],
    ['more and more hosts', 'Host *\n  ProxyJump x%h', 'h', /^h: its jump hosts never end: h → xh → xxh/],
  ])('never follows jumps that loop through %s', async (_, config, host, words) => {
    await using folder = await temporaryFolder()
    const configFile = join(folder.path, 'config')
    await writeFile(configFile, config)
    await expect(connect({ host, configFile, agent: false, identityFile: [] })).rejects.toThrow(words)
  })

  it('has one deadline for the whole route', async () => {
    await using folder = await temporaryFolder()
    const configFile = join(folder.path, 'config')
    // Each host on the way is slow.
    await writeFile(configFile, 'Match exec "sleep 0.4"\n  ProxyJump x%h')
    await expect(connect({ host: 'h', configFile, connectTimeoutMs: 1_000 })).rejects.toThrow('did not answer within')
  })
})
