/**
 * One task of an array, on a node: computes its part of the study in the current folder into `part.<number>.bin`.
 *
 * Bundled into one file, so that a node needs Node and nothing else. TASK_ID and TASKS come from the job's script.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { computePart, readStudy } from './study.ts'

const [part, parts] = [Number(process.env.TASK_ID), Number(process.env.TASKS)]
const study = await readStudy((name) => readFile(name))
const result = `part.${part}.bin`
// Whoever sees a result sees all of it.
await writeFile(`${result}.new`, computePart(study, { part, parts }))
await rename(`${result}.new`, result)
console.log(`part ${part} of ${parts}`)
