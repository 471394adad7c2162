/** The file that keeps every sample of a run. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { coreCount } from '@repo/common/cores'
import { UsageError } from '@repo/common/example/usage'
import { writeWhole } from '@repo/common/output/whole-file'
import { z } from 'zod'
import { rowSchema } from './suite.ts'

const form = 'bench 1'

const resultsSchema = z.object({
  /** Of this file: another form has another number. */
  form: z.literal(form),
  /** When the run began, in ISO 8601. */
  at: z.string(),
  quick: z.boolean(),
  machine: z.object({
    /** Says which machine without naming it. */
    name: z.string(),
    cores: z.number(),
    processor: z.string(),
    memoryBytes: z.number(),
    platform: z.string(),
    node: z.string(),
  }),
  /** By the names of the suites. */
  suites: z.record(z.string(), z.object({ rows: z.array(rowSchema) })),
})
export type Results = z.output<typeof resultsSchema>

/** Returns the results of a run that begins now. */
export function newResults(quick: boolean): Results {
  const cores = coreCount()
  const processor = cpus()[0]?.model ?? 'unknown'
  const { platform, arch } = process
  // To the gigabyte: a virtual machine does not always see the same number of bytes.
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const hash = createHash('sha256').update([platform, arch, processor, cores, gigabytes].join('\n')).digest('hex')
  return {
    form,
    at: new Date().toISOString(),
    quick,
    machine: {
      name: `${hash.slice(0, 6)}-${cores}-${platform}`,
      cores,
      processor,
      memoryBytes: totalmem(),
      platform: `${platform} ${arch}`,
      node: process.versions.node,
    },
    suites: {},
  }
}

/**
 * Makes the folder of the results, and returns a path in it for the files of a run, without an ending: `<date>-<machine>`,
 * with `-2` and so on where there is one already.
 *
 * @throws an Error of one line if nothing can be written there, before anything is measured
 */
export async function placeFor({ at, machine }: Results, folder: string): Promise<string> {
  const name = `${at.slice(0, 10)}-${machine.name}`
  let free = name
  try {
    await mkdir(folder, { recursive: true })
    const taken = await readdir(folder)
    for (let more = 2; taken.includes(`${free}.json`); more++) free = `${name}-${more}`
    const trial = join(folder, `.${free}`)
    await writeWhole(trial, form)
    await rm(trial)
  } catch (cause) {
    throw unwritable(folder, cause)
  }
  return join(folder, free)
}

/**
 * Writes the samples. Where that fails, because the disk is full or the folder is gone, it tries the system's temporary folder:
 * the measuring may have taken half an hour.
 *
 * @throws an Error of one line if they cannot be written to their place, which says where they are instead; what was there
 *   before is still there
 */
export async function writeResults(file: string, results: Results): Promise<void> {
  const text = `${JSON.stringify(results, undefined, 1)}\n`
  try {
    await writeWhole(file, text)
  } catch (cause) {
    const instead = await writeElsewhere(basename(file), text).catch(() => undefined)
    throw unwritable(file, cause, instead)
  }
}

async function writeElsewhere(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  const file = join(folder, name)
  try {
    await writeWhole(file, text)
  } catch (error) {
    await rm(folder, { recursive: true })
    throw error
  }
  return file
}

/** Writes a table or a picture beside a file of samples. @throws an Error of one line if it cannot be written */
export async function writeBeside(samples: string, file: string, text: string): Promise<void> {
  try {
    await writeWhole(file, text)
  } catch (cause) {
    throw unwritable(file, cause, samples)
  }
}

const unwritable = (place: string, cause: unknown, instead?: string) =>
  new Error(`${place}: results cannot be written${instead === undefined ? '' : `; the samples are in ${instead}`}`, {
    cause,
  })

/** @throws a UsageError if there is no such file, or it has another form, or it is not a run of this kind */
export async function readResults(option: string, file: string, quick: boolean): Promise<Results> {
  const accepts = `a file that \`npm run bench${quick ? ' -- --quick' : ''}\` has written`
  let results: Results
  try {
    results = resultsSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    throw new UsageError(option, file, `${accepts}, of the form "${form}"`)
  }
  if (results.quick !== quick) {
    throw new UsageError(option, `${file} of a ${quick ? 'full' : 'quick'} run`, `${accepts}: both have other sizes`)
  }
  return results
}
