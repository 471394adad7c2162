/** What takes instances of EC2 longer: work, and the end of the service. */
import { until } from '@repo/common/async/until'
import { describeReal } from '@repo/common/testing/vitest'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Place } from '../../src/cloud/place.ts'
import { findMoto, installMoto } from '../../src/local/moto.ts'
import { ourInstances } from '../../src/machines/ec2.ts'
import { machineClients } from '../../src/machines/resources.ts'
import { makeQueues } from '../../src/queues.ts'
import { findLeftovers } from '../../src/session/leftovers.ts'
import { type OpenCloud, openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { countOn, openCountingFleet } from '../../src/wordcount/instance-workers.ts'

const signal = () => AbortSignal.timeout(90_000)

describeReal('EC2', { name: 'moto', found: await findMoto(), install: installMoto }, () => {
  let cloud: OpenCloud
  let place: Place
  beforeAll(async () => {
    cloud = await openCloud({ machines: true })
    place = cloud.places.machines ?? cloud.places.storage
  })
  afterAll(async () => await cloud?.[Symbol.asyncDispose]())

  it('lets instances count as their user data says, reports a failed worker, and removes all it created', async () => {
    const bucket = (await temporaryBucket(cloud.s3)).name
    const { urls: queues } = await makeQueues(cloud.sqs)
    {
      await using fleet = await openCountingFleet({
        cloud,
        bucket,
        queues,
        type: 't3.micro',
        minutes: 30,
        signal: signal(),
      })
      expect(fleet.userData).not.toContain(place.credentials?.secretAccessKey)
      expect(fleet.userData).toContain('shutdown -h +30')
      const ids = await fleet.launch(2, fleet.userData)
      expect(await countOn(fleet, { cloud, bucket, queues, signal: signal() })).toBe(1_789_020)
      await fleet.stop(ids)
      expect((await fleet.list()).map(({ state }) => state)).toEqual(['stopped', 'stopped'])

      await fleet.launch(1, fleet.userData.replace('DISTRIBUTED_COMPUTING_WORK', 'ANOTHER_NAME'))
      await expect(fleet.failed).rejects.toThrow(/the worker of i-\w+ has ended, 1/)
    }
    const { queues: _, buckets: __, ...rest } = (await findLeftovers(cloud, place)).found
    expect(rest).toEqual({ instances: [], volumes: [], securityGroups: [], keyPairs: [], roles: [], applications: [] })
  })

  it('fails with one line, after the retries, when its server is killed', async () => {
    await using other = await openCloud({ machines: true })
    const gone = other.places.machines ?? place
    using clients = machineClients(gone)
    expect(await ourInstances(clients.ec2)).toEqual([])
    await other[Symbol.asyncDispose]()
    const error = await until(() =>
      ourInstances(clients.ec2).then(
        () => undefined,
        (reason: Error) => reason,
      ),
    )
    expect(error.message).toMatch(
      /^DescribeInstances at http:\/\/127\.0\.0\.1:\d+ failed: ECONNREFUSED: nothing listens there/,
    )
  })
})
