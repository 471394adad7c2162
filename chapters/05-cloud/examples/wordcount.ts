/**
 * wordcount: map and reduce over a bucket: the words of 233 State of the Union addresses, counted by workers in the cloud
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 05-cloud start wordcount
 *     pnpm --filter 05-cloud start wordcount --workers 4 --kill 2
 *     pnpm --filter 05-cloud start wordcount --workers 2 --repeat 20 --compare
 *     pnpm --filter 05-cloud start wordcount --on ec2                      workers launched by EC2, here by moto's
 *     pnpm --filter 05-cloud start wordcount --aws --bucket my-own-bucket
 *
 * The texts are objects in a bucket, the jobs messages in a queue, the workers processes that know neither each other nor
 * this program. Without --aws and AWS_ENDPOINT_URL all of it is on this machine, and ends with the program.
 *
 * Look for: the same counts for any number of workers, also when some are killed; and, with --compare, how much of the
 * machine's ceiling a second worker gives when each text is counted many times.
 */
import { isDeepStrictEqual } from 'node:util'
import { example } from '@repo/common/example/example'
import { flag, oneOf, wholeNumber, workerCount } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { compareWithSerial } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { awsOption, isAmazon, openCloud } from '../src/cloud/cloud.ts'
import { bill, costOf, mostInstances, needsYes } from '../src/cloud/prices.ts'
import { bucketOption, makeBucket, temporaryBucket } from '../src/storage/buckets.ts'
import { countHere, uploadAddresses } from '../src/wordcount/addresses.ts'
import type { Report } from '../src/wordcount/map-reduce.ts'
import { summaryLines } from '../src/wordcount/report.ts'
import { startTeam, type Team } from '../src/wordcount/team.ts'
import { topWords } from '../src/wordcount/words.ts'

export default example(import.meta, {
  options: {
    workers: workerCount(64).describe('worker processes'),
    repeat: wholeNumber(1, 1000).default(1).describe('how many times each text is counted, for more work'),
    compare: flag().describe("also with one worker, in turn, and beside the machine's ceiling"),
    kill: wholeNumber(0, 63).default(0).describe('workers that are killed when they have begun'),
    jobs: wholeNumber(1, 233).default(24).describe('jobs into which the texts are divided'),
    visibility: wholeNumber(1, 43_200).default(10).describe('seconds after which the job of a dead worker comes back'),
    bucket: bucketOption.optional().describe('a bucket that is kept; without it one is made and removed'),
    on: oneOf('processes', 'ec2').default('processes').describe('what the workers are; ec2 needs --aws or moto'),
    aws: awsOption,
    yes: flag().describe('launch instances in your account'),
  },
  quick: { visibility: 2 },

  async run({ workers, repeat, compare, kill, jobs, visibility, bucket: named, on, aws, yes }, context) {
    const { signal, quick, print, picture } = context
    if (kill >= workers) throw new UsageError('--kill', kill, `less than the ${workers} of --workers`)
    if (kill > 0 && compare) throw new UsageError('--kill', kill, '0 with --compare: a killed worker is not replaced')
    const onInstances = on === 'ec2'
    if (onInstances && (kill > 0 || compare)) throw new UsageError('--on', on, 'processes with --kill or --compare')
    if (onInstances && workers > mostInstances)
      throw new UsageError('--workers', workers, `at most ${mostInstances} on ec2`)

    await using stack = new AsyncDisposableStack()
    const cloud = stack.use(await openCloud({ aws, machines: onInstances, signal }))
    const { s3, places } = cloud
    const minutes = 60
    if (onInstances && places.machines && isAmazon(places.machines)) {
      print(bill(costOf(workers, 't3.micro', 8 * workers), minutes))
      if (!yes) throw needsYes()
    }
    if (named) await makeBucket(s3, named, { signal })
    const bucket = named ?? stack.use(await temporaryBucket(s3, { signal })).name
    print(`Counting words in ${cloud.name}, bucket ${bucket} …`)

    using bar = progress('uploading the addresses', 1)
    const start = performance.now()
    const onProgress = (share: number) => bar.update(share)
    const { texts, uploaded } = await uploadAddresses(s3, bucket, { signal, onProgress })
    const uploadMs = performance.now() - start

    const onStep = (what: string, came: string) => print(`  ${what.padEnd(18)}${came}`)
    const startOne = async (size: number) => {
      const team = { bucket, texts, size, jobs, repeat, visibilitySeconds: visibility, signal }
      return stack.use(await startTeam(cloud, { ...team, on: onInstances ? { minutes, onStep } : 'processes' }))
    }
    let again = 0
    const countBy = async (team: Team, kill = 0) => {
      let done = 0
      const onReport = ({ outcome, tries }: Report) => {
        if (tries > 1) again++
        if (outcome === 'done') bar.update(++done / Math.min(jobs, texts.length), 'counting')
      }
      return await team.count({ kill, onReport })
    }
    const all = await startOne(workers)
    const begin = performance.now()
    const total = await countBy(all, kill)
    const ms = performance.now() - begin

    const local = countHere()
    if (!isDeepStrictEqual(total.counts, local.counts)) throw new Error('the cloud and this process count differently')
    const one = compare ? await startOne(1) : undefined
    const measured =
      one &&
      (await compareWithSerial(
        { serial: () => countBy(one), parallel: () => countBy(all), workers },
        {
          rounds: quick ? 1 : 5,
          signal,
          onProgress: (done, all) => bar.update(done / all, 'counting, in turn with one worker'),
        },
      ))

    // Loading what draws takes longer than loading all the rest.
    const { decadePlot } = await import('../src/wordcount/decades.ts')
    const result = {
      objects: total.objects.length,
      bytes: total.bytes,
      words: total.words,
      distinct: total.counts.size,
      top: topWords(total.counts, 10),
      workers,
      repeat,
      ms: measured?.parallelMs ?? ms,
      localMs: local.ms,
      uploaded,
      uploadMs,
      killed: total.killed,
      again,
      ...(measured && { oneWorkerMs: measured.serialMs, speedup: measured.speedup, ceiling: measured.ceiling }),
      picture: await picture('wordcount.svg', decadePlot(total.objects)),
    }
    print(...summaryLines({ ...result, ms }, visibility, measured))
    if (named) print(`The bucket ${named} is kept; what is in it costs money until it is deleted.`)
    print(`Picture: ${result.picture}`)
    return result
  },
  // In your account machines take minutes to end.
  cleanUpDeadlineMs: 600_000,
  figure: ({ words, workers, ms }) => `${count(words)} words counted by ${workers} workers in ${milliseconds(ms)}`,
})
