import { writeFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it } from 'vitest'
import { parseTarget, resolveHost } from '../../src/ssh/config.ts'

describe('parseTarget', () => {
  it.each([
    ['cluster', { host: 'cluster' }],
    ['ada@login.example.org', { user: 'ada', host: 'login.example.org' }],
    ['ada@10.0.0.1:2222', { user: 'ada', host: '10.0.0.1', port: 2222 }],
    ['ssh://ada@[::1]:22', { user: 'ada', host: '::1', port: 22 }],
  ])('reads %s', (text, target) => {
    expect(parseTarget(text)).toEqual(target)
  })

  it.each([
    '',
    'a b',
    'ada@',
    '@host',
    'host:',
    'host:0',
    'host:65536',
    '-oProxyCommand=id',
    'host;id',
    'a@b@c',
    'host\nx',
  ])('refuses %j', (text) => {
    expect(parseTarget(text)).toBeUndefined()
  })
})

describe('resolveHost', () => {
  async function resolved(config: string, host: string, more: Record<string, string> = {}) {
    await using folder = await temporaryFolder()
    for (const [name, text] of Object.entries(more)) await writeFile(join(folder.path, name), text)
    const file = join(folder.path, 'config')
    await writeFile(file, config)
    const target = parseTarget(host)
    if (!target) throw new Error(host)
    return await resolveHost(target, file)
  }

  it('has a default for everything', async () => {
    const settings = await resolveHost({ host: 'cluster' }, false)
    expect(settings).toMatchObject({ host: 'cluster', port: 22, user: userInfo().username, jumps: [] })
    expect(settings.identityFiles[0]).toBe(join(homedir(), '.ssh', 'id_ed25519'))
    expect(settings.knownHostsFiles[0]).toBe(join(homedir(), '.ssh', 'known_hosts'))
  })

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
        UserKnownHostsFile ~/known_%p`
    expect(await resolved(config, 'big')).toMatchObject({
      alias: 'big',
      host: 'login.big.example.org',
      port: 2222,
      user: 'ada',
      identityFiles: [join(homedir(), '.ssh/ada@big'), '/keys/with space', join(homedir(), '.ssh/last')],
      identitiesOnly: true,
      knownHostsFiles: [join(homedir(), 'known_2222'), '/etc/ssh/ssh_known_hosts'].slice(
        0,
        process.platform === 'win32' ? 1 : 2,
      ),
    })
    expect(await resolved(config, 'eve@big:3333')).toMatchObject({ user: 'eve', port: 3333 })
    expect(await resolved(config, 'other')).toMatchObject({ host: 'other', user: 'nobody', port: 1 })
  })

  it('knows patterns, their exceptions, Match and key words in any case', async () => {
    const config = `
      host *.hpc !old.hpc
        user new
      match host old.hpc
        user old`
    expect((await resolved(config, 'a.hpc')).user).toBe('new')
    expect((await resolved(config, 'old.hpc')).user).toBe('old')
    expect((await resolved(config, 'hpc')).user).toBe(userInfo().username)
  })

  it('runs nothing to find a host', async () => {
    await using folder = await temporaryFolder()
    const proof = join(folder.path, 'proof')
    const config = `Match exec "touch ${proof}"\n  User caught\nHost *\n  User safe`
    expect((await resolved(config, 'any')).user).toBe('safe')
    await expect(writeFile(proof, '', { flag: 'wx' })).resolves.toBeUndefined()
  })

  it('reads included files, beside the file and by patterns, and goes on in the block it was in', async () => {
    const config = `Include *.conf missing\nUser general\nHost big\n  Include ports\n  IdentityFile /k`
    const more = { '1.conf': 'Host big\n  HostName one', '2.conf': 'Host *\n  HostName two', ports: 'Port 4444' }
    expect(await resolved(config, 'big', more)).toMatchObject({ host: 'one', user: 'general', port: 4444 })
    expect(await resolved(config, 'small', more)).toMatchObject({ host: 'two', user: 'general', port: 22 })
    await expect(resolved('Include config', 'big')).rejects.toThrow('deeper than 16 files')
  })

  it('finds the hosts to jump through, and refuses a way that it cannot go', async () => {
    const config = `
      Host inner
        ProxyJump ada@gate:2200,middle
      Host direct
        ProxyJump none
      Host odd
        ProxyCommand nc %h %p
      Host *
        ProxyJump gate`
    expect((await resolved(config, 'inner')).jumps).toEqual([
      { user: 'ada', host: 'gate', port: 2200 },
      { host: 'middle' },
    ])
    expect((await resolved(config, 'direct')).jumps).toEqual([])
    await expect(resolved('Host odd\n  ProxyCommand nc %h %p', 'odd')).rejects.toThrow(
      'not supported; accepts ProxyJump',
    )
    await expect(resolved('ProxyJump a b', 'x')).rejects.toThrow('received "a b"')
    await expect(resolved('Port many', 'x')).rejects.toThrow('Port of x: received "many"; accepts 1 to 65535')
  })
})
