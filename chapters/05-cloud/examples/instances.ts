/**
 * instances: from nothing to virtual machines that work, and back to nothing: key, firewall, role, launch, volume, end
 *
 *     pnpm --filter 05-cloud start instances                        processes on this machine stand in for instances
 *     pnpm --filter 05-cloud start instances --moto                 the whole path, with moto; npm run moto installs it
 *     pnpm --filter 05-cloud start instances --aws                  what it would create in your account, and the price
 *     pnpm --filter 05-cloud start instances --aws --yes --count 2  creates it; takes some minutes and some cents
 *     pnpm --filter 05-cloud start instances clean --aws            removes whatever is left of it in your account
 *
 * The instances run wordcount's worker: their user data, a script that runs on the first boot, installs Node and starts
 * the worker. Nobody may log in unless you say from where (--ssh-from). Each instance ends by itself after --minutes,
 * even if this program has died.
 *
 * Look for: everything it creates carries one tag, and at the end nothing with that tag is left.
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { example } from '@repo/common/example/example'
import { flag, oneOf, path, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count as counted, howMany } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { tagKey, tagValue } from '../src/cloud/ownership.ts'
import { isAmazon, nameOf } from '../src/cloud/place.ts'
import { bill, costOf, type InstanceType, instanceTypes, mostInstances, needsYes } from '../src/cloud/prices.ts'
import { describeLeft } from '../src/cloud/removal.ts'
import { addressRange } from '../src/machines/addresses.ts'
import { makeQueues } from '../src/queues.ts'
import { findLeftovers, removeLeftovers } from '../src/session/leftovers.ts'
import { awsOption, openCloud } from '../src/session/open.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'
import { countOn, openCountingFleet } from '../src/wordcount/instance-workers.ts'

const volumeGigabytes = 8

export default example(import.meta, {
  options: {
    count: wholeNumber(1, mostInstances).default(2).describe('instances'),
    type: oneOf(...(Object.keys(instanceTypes) as InstanceType[]))
      .default('t3.micro')
      .describe('their type'),
    minutes: wholeNumber(10, 240).default(30).describe('minutes after which each instance ends by itself'),
    sshFrom: addressRange.optional().describe('the addresses that may log in by SSH; by default none'),
    key: path('a file that does not exist yet')
      .optional()
      .describe('keep the instances, and write their key to this file'),
    moto: flag().describe('use the API of EC2 with moto, which keeps records of instances that do not exist'),
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
    const where = place ? nameOf(place) : 'processes on this machine'
    if (operand === 'clean') {
      if (!place) {
        print('Nothing to remove: without --aws or AWS_ENDPOINT_URL, instances are processes, which have ended.')
        return { on: where }
      }
      using bar = progress('looking')
      const onKind = (kind: string) => bar.update(0, `removing ${kind}`)
      const { removed, left } = await removeLeftovers(cloud, place, { signal, onKind })
      print(`Removed from ${where}, by the tag ${tagKey}=${tagValue}:`)
      for (const [kind, names] of Object.entries(removed)) step(kind, names.join(', ') || 'none')
      for (const { kind, name = 'could not be asked', why } of left) step('left', `${kind} ${name}: ${why}`)
      if (left.length > 0) throw new Error(`not everything is removed: ${describeLeft(left)}`)
      return { on: where, removed }
    }

    if (place && isAmazon(place)) {
      print(bill(costOf(count, type, volumeGigabytes * (count + 1)), minutes))
      if (!yes) throw needsYes()
    }
    if (key && (!sshFrom || !place || place.kind === 'moto')) {
      throw new UsageError('--key', key, 'a file together with --ssh-from, and with --aws or AWS_ENDPOINT_URL')
    }
    if (key && existsSync(key)) throw new UsageError('--key', key, 'a file that does not exist yet')
    print(`${howMany(count, 'instance')}: ${where} …`)

    // What instances need: code in a bucket, queues for their work, a key pair, a firewall, a role, an image.
    await using stack = new AsyncDisposableStack()
    const bucket = stack.use(await temporaryBucket(cloud.s3, { signal })).name
    const queues = stack.use(await makeQueues(cloud.sqs, { signal })).urls
    const needs = { cloud, bucket, queues, type, minutes, sshFrom, signal, onStep: step }
    const fleet = stack.use(await openCountingFleet(needs))

    // Launch them with the script that they run on their first boot.
    const ids = await fleet.launch(count, fleet.userData)
    step('launch', `${ids.join(', ')}; each ends ${place ? `by itself after ${minutes} minutes` : 'with this program'}`)
    for (const { id, state, address } of await fleet.list()) step('list', `${id} is ${state}: ${address}`)
    // Storage that outlives a stop. It is deleted with its instance.
    step('volume', await fleet.attachVolume(ids[0] ?? '', volumeGigabytes))

    // Send them jobs, and add up what they report.
    const work = async () => {
      using bar = progress('uploading the addresses', 1)
      const onProgress = (share: number, what: string) => bar.update(share, what)
      return await countOn(fleet, { cloud, bucket, queues, signal, onProgress })
    }
    const words = fleet.boots ? await work() : undefined
    step(
      'work',
      words === undefined ? 'not waited for: perhaps no machine boots there' : `${counted(words)} words counted`,
    )

    const result = { on: where, instances: ids, minutes, words }
    if (key) {
      await writeFile(key, fleet.privateKey ?? '', { mode: 0o600, flag: 'wx' })
      for (const { address } of await fleet.list()) step('log in', `ssh -i ${key} ec2-user@${address}`)
      step('kept', `for ${minutes} minutes; to remove the rest: instances clean${aws ? ' --aws' : ''}`)
      stack.move()
      return { ...result, left: undefined, notAsked: [] }
    }
    // Stop keeps the disks, terminate removes them. Then nothing with the chapter's tag is left.
    await fleet.stop(ids)
    for (const { id, state } of await fleet.list()) step('stop', `${id} is ${state}`)
    await fleet.terminate(ids)
    step('terminate', ids.join(', '))
    await stack.disposeAsync()
    const { found, notAsked = [] } = place ? await findLeftovers(cloud, place) : {}
    const left = found && Object.values(found).flat()
    step('left', left ? `${left.length} things with the tag ${tagKey}=${tagValue}` : 'nothing')
    // The work is done and all that this run has created is gone, even if another service does not answer.
    for (const { kind, why } of notAsked) step('left', `nobody knows which ${kind}: ${why}`)
    return { ...result, left, notAsked }
  },
  // In your account machines take minutes to end.
  cleanUpDeadlineMs: 600_000,
  figure: (result) =>
    'instances' in result ? `${howMany(result.instances.length, 'instance')} from launch to end` : 'cleaned',
})
