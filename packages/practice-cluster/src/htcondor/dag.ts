/** DAGMan for the practice queue: runs the jobs of a DAG file in the order of their dependencies. */
import { appendFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Answer, type Call, CommandError, readOptions } from '../commands.ts'
import type { Job, Task } from '../queue.ts'
import { submitFile, twoMinuses } from './submit.ts'

interface Node {
  name: string
  file: string
  parents: string[]
  job?: Job
}

/** Submits DAGMan, a job that submits the other jobs once their parents have succeeded. It needs no core. */
export async function submitDag(call: Call): Promise<Answer> {
  const [file = ''] = readOptions('condor_submit_dag', twoMinuses(call.args), { force: 'f!' }).operands
  const path = resolve(call.folder, file)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) throw new CommandError(`ERROR: "${file}" does not exist`)
  const nodes = readDag(text)
  const inFolder = { ...call, folder: dirname(path) }
  const log = (line: string) =>
    appendFileSync(`${path}.dagman.out`, `${new Date().toISOString().slice(0, 19).replace('T', ' ')} ${line}\n`)
  const dagman = call.queue.submit({
    name: `${file}+DAGMan`,
    folder: call.folder,
    queue: 'practice',
    indices: [0],
    environment: () => ({}),
    demand: { nodes: 1, coresPerNode: 0, ranksPerNode: 1 },
    notes: {},
    requeue: false,
    onStart: (task) => void follow(task),
  })

  async function follow(task: Task) {
    const ended = (job: Job | undefined) => job?.tasks.every(({ state }) => state === 'ended') ?? false
    const succeeded = (job: Job | undefined) =>
      ended(job) && job?.tasks.every(({ outcome }) => outcome?.how === 'exit' && outcome.code === 0) === true
    let step = Promise.withResolvers<void>()
    task.hangUp = () => {
      for (const { job } of nodes) if (job) call.queue.cancel(job.tasks)
      step.resolve()
    }
    const onChange = () => step.resolve()
    call.queue.on('change', onChange)
    try {
      for (;;) {
        step = Promise.withResolvers<void>()
        for (const node of nodes) {
          const parents = nodes.filter(({ name }) => node.parents.includes(name))
          if (node.job || task.ending || !parents.every(({ job }) => succeeded(job))) continue
          node.job = await submitFile(inFolder, node.file, { dagman: task.job.id, dagNode: node.name })
          log(`Submitting HTCondor Node ${node.name} job(s)... assigned HTCondor ID (${node.job.id}.0.0)`)
        }
        if (nodes.every(({ job }) => !job || ended(job))) break
        await step.promise
      }
    } finally {
      call.queue.off('change', onChange)
    }
    const open = nodes.filter(({ job }) => !succeeded(job))
    if (open.length > 0) {
      const done = nodes.filter(({ job }) => succeeded(job)).map(({ name }) => `DONE ${name}\n`)
      await writeFile(`${path}.rescue001`, `# Rescue DAG file, to go on where ${file} stopped\n${done.join('')}`).catch(
        () => {},
      )
      log(`ERROR: the following ${open.length} node(s) did not succeed: ${open.map(({ name }) => name).join(', ')}`)
    } else log('All jobs Completed!')
    call.queue.finish(task, { how: 'exit', code: open.length > 0 ? 1 : 0 })
  }

  const line = '-----------------------------------------------------------------------'
  return {
    stdout: `\n${line}\nLog of DAGMan debugging messages                   : ${file}.dagman.out\n\nSubmitting job(s).\n1 job(s) submitted to cluster ${dagman.id}.\n${line}\n`,
  }
}

function readDag(text: string): Node[] {
  const nodes: Node[] = []
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/)
    const [, name = '', file = ''] = words
    if (/^job$/i.test(words[0] ?? '')) nodes.push({ name, file, parents: [] })
    else if (/^parent$/i.test(words[0] ?? '')) {
      const at = words.findIndex((word) => /^child$/i.test(word))
      for (const node of nodes) if (words.slice(at + 1).includes(node.name)) node.parents.push(...words.slice(1, at))
    } else if (line.trim() !== '' && !line.startsWith('#'))
      throw new CommandError(`ERROR: invalid line in DAG file: ${line}`)
  }
  if (nodes.length === 0) throw new CommandError('ERROR: no nodes in the DAG file')
  return nodes
}
