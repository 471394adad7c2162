/** Beanstalk's API as moto answers it. */
import { describeReal } from '@repo/common/testing/vitest'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { beanstalkClient, createBeanstalk } from '../../src/beanstalk/amazon.ts'
import { openPlatform } from '../../src/beanstalk/open-platform.ts'
import { waitForEnd, waitForHealth } from '../../src/beanstalk/platform.ts'
import { ownName } from '../../src/cloud/ownership.ts'
import type { Place } from '../../src/cloud/place.ts'
import { findMoto, installMoto } from '../../src/local/moto.ts'
import { makeQueues } from '../../src/queues.ts'
import { findLeftovers, removeLeftovers } from '../../src/session/leftovers.ts'
import { type OpenCloud, openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { faultyStore } from '../fixtures/http-faults.ts'

const signal = () => AbortSignal.timeout(90_000)

describeReal('Elastic Beanstalk', { name: 'moto', found: await findMoto(), install: installMoto }, () => {
  let cloud: OpenCloud
  let place: Place
  beforeAll(async () => {
    cloud = await openCloud({ machines: true })
    place = cloud.places.machines ?? cloud.places.storage
  })
  afterAll(async () => await cloud?.[Symbol.asyncDispose]())

  it('takes bundles, versions and environments, and leaves nothing behind', async () => {
    const bucket = (await temporaryBucket(cloud.s3)).name
    const { urls } = await makeQueues(cloud.sqs)
    const wait = { signal: signal(), everyMs: 20 }
    {
      await using platform = await openPlatform({ cloud, bucket, queueUrl: urls.jobs, signal: signal() })
      expect(platform.name).toMatch(/^Elastic Beanstalk \(64bit Amazon Linux 2023 v[\d.]+ running Node\.js 2\d\)$/)
      expect(JSON.stringify(platform.settings)).not.toContain(place.credentials?.secretAccessKey)
      const create = async (purpose: string, tier: 'web' | 'worker', version: string) => {
        await platform.createVersion(version, zipSync({ Procfile: strToU8(version) }))
        await platform.createEnvironment({
          name: platform.nameFor(purpose),
          tier,
          version,
          settings: platform.settings,
        })
      }
      await expect(create('blue', 'web', 'web-1').then(() => create('again', 'web', 'web-1'))).rejects.toThrow(
        /already exists/,
      )
      await create('worker', 'worker', 'worker-1')
      const seen: string[] = []
      const onChange = (found: { status: string; health: string }[]) => {
        seen.push(...found.map(({ status, health }) => `${status} ${health}`))
      }
      const names = [platform.nameFor('blue'), platform.nameFor('worker')]
      const [blue, worker] = await waitForHealth(platform, names, { ...wait, onChange })
      expect(seen).toContain('Launching Grey')
      expect(worker).toMatchObject({ tier: 'worker', version: 'worker-1', cname: undefined })
      await create('green', 'web', 'web-2')
      await expect(platform.swap(platform.nameFor('blue'), platform.nameFor('green'))).rejects.toThrow(/Must be Ready/)
      await waitForHealth(platform, [platform.nameFor('green')], wait)
      await platform.swap(platform.nameFor('blue'), platform.nameFor('green'))
      const green = (await platform.environments()).find(({ version }) => version === 'web-2')
      expect(green?.cname).toBe(blue?.cname)
      await platform.terminate(platform.nameFor('blue'))
      await waitForEnd(platform, [platform.nameFor('blue')], wait)
      expect((await platform.environments()).map(({ version }) => version).sort()).toEqual(['web-2', 'worker-1'])
    }
    const { queues: _, buckets: __, ...rest } = (await findLeftovers(cloud, place)).found
    expect(rest).toEqual({ instances: [], volumes: [], securityGroups: [], keyPairs: [], roles: [], applications: [] })
  })

  it('refuses a version without its bundle, and is cleaned up after a killed program', async () => {
    using beanstalk = beanstalkClient(place)
    const application = ownName()
    const given = {
      beanstalk: beanstalk.client,
      s3: cloud.s3,
      bucket: 'b',
      queueUrl: '',
      application,
      instanceProfile: '',
      securityGroups: { web: '', worker: '' },
    }
    const platform = await createBeanstalk(given)
    await expect(platform.createVersion('1', new Uint8Array(3))).rejects.toThrow(/NoSuchBucket/)
    const request = { name: 'words-x', tier: 'web' as const, version: '1', settings: {} }
    await expect(platform.createEnvironment(request)).rejects.toThrow(/No Application Version named '1'/)
    expect((await removeLeftovers(cloud, place)).removed.applications).toEqual([application])
    expect((await findLeftovers(cloud, place)).found.applications).toEqual([])
  })

  it.each(['CreateApplication', 'CreateApplicationVersion', 'CreateEnvironment', 'SwapEnvironmentCNAMEs'])(
    'leaves nothing behind when every answer to %s is lost',
    async (action) => {
      const bucket = (await temporaryBucket(cloud.s3)).name
      const { urls } = await makeQueues(cloud.sqs)
      await using machines = await faultyStore(place, (_, body) =>
        body.includes(`Action=${action}&`) ? { lose: true } : undefined,
      )
      const far = { ...cloud, places: { ...cloud.places, machines: machines.place } }
      const deploying = async () => {
        await using platform = await openPlatform({ cloud: far, bucket, queueUrl: urls.jobs, signal: signal() })
        await platform.createVersion('1', zipSync({ Procfile: strToU8('1') }))
        const names = ['blue', 'green'].map(platform.nameFor)
        for (const name of names) {
          await platform.createEnvironment({ name, tier: 'web', version: '1', settings: platform.settings })
        }
        await waitForHealth(platform, names, { signal: signal(), everyMs: 20 })
        await platform.swap(names[0] ?? '', names[1] ?? '')
      }
      await expect(deploying()).rejects.toThrow(new RegExp(`${action} at `))
      const { queues: _, buckets: __, ...rest } = (await findLeftovers(cloud, place)).found
      expect(Object.values(rest).flat()).toEqual([])
    },
  )
})
