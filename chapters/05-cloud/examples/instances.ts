/**
 * instances: from nothing to virtual machines that work, and back to nothing: key, firewall, role, launch, volume, end
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 05-cloud start instances                            processes of this machine in the place of instances
 *     pnpm --filter 05-cloud start instances --moto                     the whole walk, against moto; npm run moto installs it
 *     pnpm --filter 05-cloud start instances --aws                      what it would create in your account, and its price
 *     pnpm --filter 05-cloud start instances --aws --yes --count 2      really; some minutes and some cents
 *     pnpm --filter 05-cloud start instances clean --aws                removes whatever is left of it in your account
 *
 * The instances run wordcount's worker: their user data, a script run at the first boot, installs Node and starts it. Nobody
 * may log in unless you say from where (--ssh-from). Each ends by itself after --minutes, whatever becomes of this program.
 *
 * Look for: everything that is created carries one tag, and nothing with that tag is left at the end.
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { example } from '@repo/common/example/example'
import { flag, oneOf, path, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count as counted } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { findLeftovers, removeLeftovers } from '../src/cloud/clean.ts'
import { awsOption, isAmazon, nameOf, openCloud } from '../src/cloud/cloud.ts'
import { bill, costOf, type InstanceType, instanceTypes, mostInstances, needsYes } from '../src/cloud/prices.ts'
import { tagKey, tagValue } from '../src/cloud/tag.ts'
import { addressRange } from '../src/machines/address-range.ts'
import { countOn, openFleet } from '../src/machines/fleet.ts'
import { makeQueues } from '../src/queues.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'

const volumeGigabytes = 8

export default example(import.meta, {
  options: {
    count: wholeNumber(1, mostInstances).default(2).describe('instances'),
    type: oneOf(...(Object.keys(instanceTypes) as InstanceType[]))
      .default('t3.micro')
      .describe('their type'),
    minutes: wholeNumber(10, 240).default(30).describe('after how many minutes each ends by itself'),
    sshFrom: addressRange.optional().describe('who may log in by SSH; without it nobody'),
    key: path('a file that is not there').optional().describe('keep the instances, and write their key to this file'),
    moto: flag().describe('walk through the API of EC2 with moto, which keeps account of instances that do not exist'),
    aws: awsOption,
    yes: flag().describe('create what costs money'),
  },
  operands: '[clean]',

  async run({ count, type, minutes, sshFrom, key, moto, aws, yes }, { signal, operands, print }) {
    const [operand, ...more] = operands
    if (more.length > 0 || (operand ?? 'clean') !== 'clean') {
      throw new UsageError('operand', operands.join(' '), 'nothing, or clean')
    }
    await using cloud = await openCloud({ aws, machines: moto, signal })
    const { machines: place } = cloud.places
    const step = (what: string, result: string) => print(`  ${what.padEnd(18)}${result}`)
    const where = place ? nameOf(place) : 'processes of this machine'
    if (operand === 'clean') {
      const left = place ? await removeLeftovers(cloud, place, { signal }) : undefined
      print(`Removed from ${where}, by the tag ${tagKey}=${tagValue}:`)
      for (const [kind, names] of Object.entries(left ?? {})) step(kind, names.join(', ') || 'none')
      return { on: where, removed: left }
    }

    if (place && isAmazon(place)) {
      print(bill(costOf(count, type, volumeGigabytes * (count + 1)), minutes))
      if (!yes) throw needsYes()
    }
    if (key && (!sshFrom || !place || place.kind === 'moto')) {
      throw new UsageError('--key', key, 'a file together with --ssh-from, and with --aws or AWS_ENDPOINT_URL')
    }
    if (key && existsSync(key)) throw new UsageError('--key', key, 'a file that is not there yet')
    print(`${count} instances: ${where} …`)
    await using stack = new AsyncDisposableStack()
    const bucket = stack.use(await temporaryBucket(cloud.s3, { signal })).name
    const queues = stack.use(await makeQueues(cloud.sqs, { signal })).urls
    const fleet = stack.use(await openFleet({ cloud, bucket, queues, type, minutes, sshFrom, signal, onStep: step }))

    const ids = await fleet.launch(count, fleet.userData)
    step('launch', `${ids.join(', ')}; each ends ${place ? `by itself after ${minutes} minutes` : 'with this program'}`)
    for (const { id, state, address } of await fleet.list()) step('list', `${id} is ${state}: ${address}`)
    step('volume', await fleet.attachVolume(ids[0] ?? '', volumeGigabytes))

    const work = async () => {
      using bar = progress('uploading the addresses', 1)
      const onProgress = (share: number, what: string) => bar.update(share, what)
      return await countOn(fleet, { cloud, bucket, queues, signal, onProgress })
    }
    const words = fleet.boots ? await work() : undefined
    step(
      'work',
      words === undefined ? 'not waited for: unknown whether machines boot there' : `${counted(words)} words counted`,
    )

    const result = { on: where, instances: ids, minutes, words }
    if (key) {
      await writeFile(key, fleet.privateKey ?? '', { mode: 0o600, flag: 'wx' })
      for (const { address } of await fleet.list()) step('log in', `ssh -i ${key} ec2-user@${address}`)
      step('kept', `for ${minutes} minutes; the rest is removed by: instances clean${aws ? ' --aws' : ''}`)
      stack.move()
      return { ...result, left: undefined }
    }
    await fleet.stop(ids)
    for (const { id, state } of await fleet.list()) step('stop', `${id} is ${state}`)
    await fleet.terminate(ids)
    step('terminate', ids.join(', '))
    await stack.disposeAsync()
    const left = place && Object.values(await findLeftovers(cloud, place)).flat()
    step('left', left ? `${left.length} things with the tag ${tagKey}=${tagValue}` : 'nothing')
    return { ...result, left }
  },
  // In your account machines take minutes to end.
  cleanUpDeadlineMs: 600_000,
  figure: (result) => ('instances' in result ? `${result.instances.length} instances from launch to end` : 'cleaned'),
})
