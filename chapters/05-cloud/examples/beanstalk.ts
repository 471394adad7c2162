/**
 * beanstalk: a web tier and a worker tier as Elastic Beanstalk runs them: bundle, health, a swap without downtime, the
 * end
 *
 *     pnpm --filter 05-cloud start beanstalk                   both tiers as processes on this machine
 *     pnpm --filter 05-cloud start beanstalk --serve           the same, until Ctrl-C: open the address in a browser
 *     pnpm --filter 05-cloud start beanstalk --moto            through Beanstalk's API, with moto, where no tier runs
 *     pnpm --filter 05-cloud start beanstalk --aws --yes       in your account; takes about a quarter of an hour
 *
 * A client sends a text to the web tier, which puts its parts into a bucket and a message for each part into a queue. A
 * daemon beside the worker tier posts the messages to it. A message that the worker tier answers with 200 is deleted;
 * any other message comes again.
 *
 * Look for: the counts are the same as in a single pass; while version 2 replaces version 1, not one request fails.
 */
import { once } from 'node:events'
import { example } from '@repo/common/example/example'
import { flag } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds } from '@repo/common/output/terminal'
import { mobyDick } from '@repo/common/workloads/texts'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { bundleTier, type Tier } from '../src/beanstalk/bundle.ts'
import { openPlatform } from '../src/beanstalk/open-platform.ts'
import { waitForEnd, waitForHealth } from '../src/beanstalk/platform.ts'
import { countThroughWebTier, watchVersion } from '../src/beanstalk/web-client.ts'
import { isAmazon } from '../src/cloud/place.ts'
import { bill, costOf, needsYes } from '../src/cloud/prices.ts'
import { addressRange, ownAddress } from '../src/machines/addresses.ts'
import { makeQueues } from '../src/queues.ts'
import { awsOption, openCloud } from '../src/session/open.ts'
import { temporaryBucket } from '../src/storage/buckets.ts'
import { countWords } from '../src/wordcount/word-counter.ts'
import { wordsIn } from '../src/wordcount/words.ts'

export default example(import.meta, {
  options: {
    serve: flag().describe('keep the tiers of version 1 running until Ctrl-C'),
    moto: flag().describe('use the API of Elastic Beanstalk with moto, which only keeps records of it'),
    aws: awsOption,
    yes: flag().describe('create what costs money'),
    webFrom: addressRange
      .optional()
      .describe('the addresses that may use the web tier in your account; by default your own'),
  },

  async run({ serve, moto, aws, yes, webFrom }, { signal, print }) {
    if (serve && moto) throw new UsageError('--serve', 'with --moto', 'it alone: with moto no tier runs')
    await using cloud = await openCloud({ aws, machines: moto, signal })
    const { machines: place } = cloud.places
    if (place && isAmazon(place)) {
      print(bill(costOf(3, 't3.micro', 24), 15))
      if (!yes) throw needsYes()
    }
    const startMs = performance.now()
    const step = (what: string, result: string) =>
      print(`  ${milliseconds(performance.now() - startMs).padStart(8)}  ${what.padEnd(12)}${result}`)

    // The tiers share a bucket and a queue. The platform runs them.
    await using stack = new AsyncDisposableStack()
    const bucket = stack.use(await temporaryBucket(cloud.s3, { signal })).name
    const queueUrl = stack.use(await makeQueues(cloud.sqs, { signal })).urls.jobs
    const from = webFrom ?? (place && isAmazon(place) ? await ownAddress(signal) : undefined)
    const platform = stack.use(await openPlatform({ cloud, bucket, queueUrl, webFrom: from, signal }))
    print(`Two tiers on ${platform.name} …`)
    if (place) step('firewall', from ? `the web tier lets in ${from}, without TLS or a login` : 'lets nobody in')

    // Deploying means storing the bundle as a version, starting an environment with it, and waiting until that is
    // healthy.
    const everyMs = !place || place.kind === 'moto' ? 100 : 5_000
    using bar = progress('waiting for the environments')
    async function deploy(...wanted: [tier: Tier, purpose: string, version: string][]) {
      for (const [tier, purpose, version] of wanted) {
        const bundle = await bundleTier(tier, version)
        await platform.createVersion(`${tier}-${version}`, bundle)
        const name = platform.nameFor(purpose)
        await platform.createEnvironment({ name, tier, version: `${tier}-${version}`, settings: platform.settings })
        step('create', `${name}: the ${tier} tier, version ${version}, a bundle of ${bytes(bundle.length)}`)
      }
      const names = wanted.map(([, purpose]) => platform.nameFor(purpose))
      return await waitForHealth(platform, names, {
        signal,
        everyMs,
        onChange: (found) => bar.update(0, found.map(({ name, status }) => `${name} is ${status}`).join(', ')),
      })
    }
    const [blue] = await deploy(['web', 'blue', '1'], ['worker', 'worker', '1'])
    const url = blue?.cname ?? ''
    step('health', `both are green: ${url}`)
    if (serve) {
      step('serve', 'until Ctrl-C')
      await once(signal, 'abort')
    }

    // A client sends a text, and polls until all its parts are counted.
    const text = mobyDick()
      .map((chapter) => chapter.text)
      .join('\n')
    let counted: Awaited<ReturnType<typeof countThroughWebTier>> | undefined
    if (platform.runs) {
      const onProgress = (done: number, parts: number) => bar.update(0, `counted ${done} of ${parts} parts`)
      counted = await countThroughWebTier(url, text, { signal, onProgress })
      step('work', `${count(counted.words)} words in ${count(counted.parts)} parts of Moby-Dick`)
      const here = wordsIn(countWords(text))
      if (counted.words !== here) throw new Error(`the tiers counted ${counted.words} words, one pass ${here}`)
    } else step('work', 'none: moto keeps records of environments, but nothing runs in them')

    // Version 2 starts beside version 1. When it is healthy they swap addresses, and version 1 ends. Meanwhile another
    // client sends one request after another. (At Amazon the address is a DNS name, which others cache for a minute.)
    await deploy(['web', 'green', '2'])
    const watch = platform.runs ? stack.use(watchVersion(url, signal)) : undefined
    await watch?.until('1', 100, 30_000)
    await platform.swap(platform.nameFor('blue'), platform.nameFor('green'))
    await watch?.until('2', 100, 300_000)
    await end('blue')
    await watch?.[Symbol.asyncDispose]()
    const failures = watch && `version 2 answers there; ${watch.failed} of ${count(watch.requests)} requests failed`
    step('swap', failures ?? 'done')
    await end('green', 'worker')
    step('terminate', 'all environments have ended')

    async function end(...purposes: string[]) {
      const names = purposes.map(platform.nameFor)
      for (const name of names) await platform.terminate(name)
      await waitForEnd(platform, names, { signal, everyMs })
    }
    const { words, distinct, parts, top } = counted ?? {}
    const swapped = watch && { requests: watch.requests, failed: watch.failed }
    return { on: platform.name, words, distinct, parts, top, swapped, ms: performance.now() - startMs }
  },
  // In your account machines take minutes to end.
  cleanUpDeadlineMs: 600_000,
  figure: ({ words, swapped }) =>
    words && swapped
      ? `${count(words)} words through both tiers; ${swapped.failed} of ${swapped.requests} requests failed in the swap`
      : 'two tiers, from bundle to end',
})
