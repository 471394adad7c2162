import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import ssh2 from 'ssh2'
import { describe, expect, it } from 'vitest'
import { findOpenSsh, installOpenSsh, makeKey } from '../../src/real/open-ssh.ts'
import { addKnownHost, fingerprint, KnownHosts, knownHostsLine, typeOf } from '../../src/ssh/known-hosts.ts'

const execute = promisify(execFile)

function newKey(): Buffer {
  const { publicKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const part = (data: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, data.length]), data])
  return Buffer.concat([part(Buffer.from('ssh-ed25519')), part(raw)])
}
const key = newKey()
const other = newKey()
const line = (hosts: string, own = key) => `${hosts} ssh-ed25519 ${own.toString('base64')}\n`

async function check(text: string, host = 'cluster', port = 22) {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'known_hosts')
  await writeFile(file, text)
  return (await KnownHosts.read([file, join(folder.path, 'missing')])).check(host, port, key).verdict
}

describe('KnownHosts', () => {
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

  it('tells ports apart', async () => {
    expect(await check(line('[cluster]:2222'), 'cluster', 2222)).toBe('known')
    expect(await check(line('cluster'), 'cluster', 2222)).toBe('unknown')
  })

  it('knows a changed key, also one of another type, and one of several', async () => {
    expect(await check(line('cluster', other))).toBe('changed')
    expect(await check('cluster ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQ==\n')).toBe('changed')
    expect(await check(line('cluster', other) + line('cluster'))).toBe('known')
  })

  it('refuses a revoked key also beside a line that knows it', async () => {
    expect(await check(line('cluster') + line('@revoked *'))).toBe('revoked')
    expect(await check(line('@revoked *'))).toBe('revoked')
    expect(await check(line('@revoked *', other) + line('cluster'))).toBe('known')
    expect(await check(line('@revoked elsewhere') + line('cluster'))).toBe('known')
  })

  it('skips comments, broken lines and authorities whose certificates it cannot check', async () => {
    const text = `# ${line('cluster')}\n\ncluster\ncluster ssh-ed25519\n|1|x\n|2|a|b ssh-ed25519 AAAA\n`
    expect(await check(text)).toBe('unknown')
    expect(await check(line('@cert-authority cluster'))).toBe('unknown')
  })

  it('adds a host after a line without an end, for this user only', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'new', 'known_hosts')
    await addKnownHost(file, line('a').trimEnd())
    await addKnownHost(file, knownHostsLine('cluster', 2222, key))
    expect(await readFile(file, 'utf8')).toBe(line('a') + line('[cluster]:2222'))
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await KnownHosts.read([file])).typesFor('cluster', 2222)).toEqual(['ssh-ed25519'])
  })

  it('says which file it cannot read', async () => {
    await using folder = await temporaryFolder()
    await expect(KnownHosts.read([folder.path])).rejects.toThrow(`${folder.path} cannot be read`)
  })
})

describeReal('as OpenSSH writes them', { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }, () => {
  it.each(['ed25519', 'ecdsa', 'rsa'])(
    'reads hashed names and shows the same fingerprint of a key of type %s',
    async (type) => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'key')
      await makeKey(path, { type })
      const parsed = ssh2.utils.parseKey(await readFile(`${path}.pub`))
      if (parsed instanceof Error) throw parsed
      const own = parsed.getPublicSSH()
      const file = join(folder.path, 'known_hosts')
      await writeFile(file, knownHostsLine('cluster', 22, own) + knownHostsLine('cluster', 2222, own))
      await execute('ssh-keygen', ['-H', '-f', file])
      expect(await readFile(file, 'utf8')).not.toContain('cluster')

      const known = await KnownHosts.read([file])
      expect(known.check('cluster', 22, own).verdict).toBe('known')
      expect(known.check('cluster', 2222, own).verdict).toBe('known')
      expect(known.check('cluster', 2223, own).verdict).toBe('unknown')
      expect(known.check('cluster', 22, key).verdict).toBe('changed')
      expect(known.typesFor('cluster', 22)).toEqual([typeOf(own)])
      const { stdout: shown } = await execute('ssh-keygen', ['-l', '-f', `${path}.pub`])
      expect(shown).toContain(` ${fingerprint(own)} `)
    },
  )
})
