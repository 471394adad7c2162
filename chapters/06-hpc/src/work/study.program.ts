/**
 * One task of an array: computes its part of the study in the current folder, and writes it to `part.<number>.bin`.
 *
 * It is bundled into one file, so that a cluster node needs only Node.js. TASK_ID and TASKS come from the job's script.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { computePart, readStudy } from './study.ts'

// #region task
const [part, parts] = [Number(process.env.TASK_ID), Number(process.env.TASKS)]
const study = await readStudy((name) => readFile(name))
const result = `part.${part}.bin`
// Renamed once it is complete, so that nobody reads half of it.
await writeFile(`${result}.new`, computePart(study, { part, parts }))
await rename(`${result}.new`, result)
// #endregion task
console.log(`part ${part} of ${parts}`)
