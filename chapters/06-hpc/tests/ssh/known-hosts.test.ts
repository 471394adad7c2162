import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import ssh2 from 'ssh2'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { findOpenSsh, installOpenSsh, makeKey } from '../../src/real/open-ssh.ts'
import { addKnownHost, fingerprint, KnownHosts, knownHostsLine, typeOf } from '../../src/ssh/known-hosts.ts'

const execute = promisify(execFile)
const openSsh = { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }

function newKey(): Buffer {
  const { publicKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const part = (data: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, data.length]), data])
  return Buffer.concat([part(Buffer.from('ssh-ed25519')), part(raw)])
}
const key = newKey()
const other = newKey()
const line = (hosts: string, own = key) => `${hosts} ssh-ed25519 ${own.toString('base64')}\n`

async function check(text: string, { host = 'cluster', port = 22, alias = undefined as string | undefined } = {}) {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'known_hosts')
  await writeFile(file, text)
  const known = await KnownHosts.search([file, join(folder.path, 'missing')], host, port, alias)
  return known.check(key).verdict
}

afterEach(() => vi.unstubAllEnvs())

describeReal('KnownHosts', openSsh, () => {
  it.each([
    ['cluster', 'known'],
    ['other,cluster,10.0.0.1', 'known'],
    ['CLUSTER', 'known'],
    ['clus*', 'known'],
    ['cluste?', 'known'],
    ['*,!cluster', 'unknown'],
    ['clusterx', 'unknown'],
    ['[cluster]:2222', 'unknown'],
    ['.*', 'unknown'],
  ])('a line for %s makes the key %s', async (hosts, verdict) => {
    expect(await check(line(hosts))).toBe(verdict)
  })

  it('tells ports apart, and like ssh accepts the same key without a port', async () => {
    const at2222 = { port: 2222 }
    expect(await check(line('[cluster]:2222'), at2222)).toBe('known')
    expect(await check(line('[cluster]:2223'), at2222)).toBe('unknown')
    expect(await check(line('cluster'), at2222)).toBe('known')
    expect(await check(line('cluster', other), at2222)).toBe('unknown')
    expect(await check(line('@revoked cluster'), at2222)).toBe('revoked')
    expect(await check(line('cluster') + line('[cluster]:2222', other), at2222)).toBe('changed')
  })

  it('looks for an alias instead of the host', async () => {
    expect(await check(line('gate'), { alias: 'gate', port: 2222 })).toBe('known')
    expect(await check(line('cluster'), { alias: 'gate' })).toBe('unknown')
  })

  it('recognises a changed key, even of another type, and one of several', async () => {
    expect(await check(line('cluster', other))).toBe('changed')
    expect(await check(line('cluster', other) + line('cluster'))).toBe('known')
    await using folder = await temporaryFolder()
    await makeKey(join(folder.path, 'key'), { type: 'ecdsa' })
    const [type = '', ecdsa = ''] = (await readFile(join(folder.path, 'key.pub'), 'utf8')).split(' ')
    expect(await check(`cluster ${type} ${ecdsa}\n`)).toBe('changed')
  })

  it('passes over a line without a whole key, as ssh does', async () => {
    const cut = line('cluster', other).slice(0, -20)
    expect(await check(`${cut}\n`)).toBe('unknown')
    expect(await check(`cluster ssh-ed25519 ----\n${line('cluster')}`)).toBe('known')
  })

  it('refuses a revoked key even if another line accepts it', async () => {
    expect(await check(line('cluster') + line('@revoked *'))).toBe('revoked')
    expect(await check(line('@revoked *'))).toBe('revoked')
    expect(await check(line('@revoked *', other) + line('cluster'))).toBe('known')
    expect(await check(line('@revoked elsewhere') + line('cluster'))).toBe('known')
  })

  it('skips comments, broken lines, lines of SSH 1, and authorities whose certificates it cannot check', async () => {
    const ssh1 = `cluster 1024 35 ${'1350664108659952233496'.repeat(10)} old@host\n`
    const text = `# ${line('cluster')}\n\ncluster\ncluster ssh-ed25519\n|1|x\n|2|a|b ssh-ed25519 AAAA\n${ssh1}`
    expect(await check(text)).toBe('unknown')
    expect(await check(line('@cert-authority cluster'))).toBe('unknown')
  })

  it('adds a host after a line without an end, for this user only', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'new', 'known_hosts')
    await addKnownHost(file, line('a').trimEnd())
    await addKnownHost(file, knownHostsLine('cluster', 2222, key))
    expect(await readFile(file, 'utf8')).toBe(line('a') + line('[cluster]:2222'))
    expect(knownHostsLine('cluster', 2222, key, 'gate')).toBe(line('gate'))
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await KnownHosts.search([file], 'cluster', 2222)).types).toEqual(['ssh-ed25519'])
  })

  it.each(['ed25519', 'ecdsa', 'rsa'])('finds hashed names with a %s key, and its fingerprint', async (type) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'key')
    await makeKey(path, { type })
    const parsed = ssh2.utils.parseKey(await readFile(`${path}.pub`))
    if (parsed instanceof Error) throw parsed
    const own = parsed.getPublicSSH()
    const file = join(folder.path, 'known_hosts')
    await writeFile(file, knownHostsLine('cluster', 22, own) + knownHostsLine('elsewhere', 2222, own))
    await execute('ssh-keygen', ['-H', '-f', file])
    expect(await readFile(file, 'utf8')).not.toContain('cluster')

    const known = await KnownHosts.search([file], 'cluster', 22)
    expect(known.check(own).verdict).toBe('known')
    expect(known.check(key).verdict).toBe('changed')
    expect(known.types).toEqual([typeOf(own)])
    expect((await KnownHosts.search([file], 'elsewhere', 2222)).check(own).verdict).toBe('known')
    expect((await KnownHosts.search([file], 'elsewhere', 2223)).check(own).verdict).toBe('unknown')
    const { stdout: shown } = await execute('ssh-keygen', ['-l', '-f', `${path}.pub`])
    expect(shown).toContain(` ${fingerprint(own)} `)
  })
})

describe('KnownHosts', () => {
  it('says which file it cannot read', async () => {
    await using folder = await temporaryFolder()
    await expect(KnownHosts.search([folder.path], 'cluster', 22)).rejects.toThrow(`${folder.path} cannot be read`)
  })

  it('says that ssh-keygen is missing, unless there is nothing to search', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'known_hosts')
    vi.stubEnv('PATH', folder.path)
    expect((await KnownHosts.search([file], 'cluster', 22)).check(key)).toEqual({ verdict: 'unknown' })
    await writeFile(file, line('cluster'))
    expect((await KnownHosts.search([file], 'cluster', 22)).check(key)).toEqual({
      verdict: 'not searched',
      why: 'the program ssh-keygen is missing: sudo apt-get install openssh-client',
    })
  })
})
