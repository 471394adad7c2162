/**
 * The program behind `sbatch`, `qstat` and the other commands of the practice cluster: it hands the command to the
 * cluster and prints the answer. For srun and qsub -I the cluster tells it what to run, and it runs that on its own
 * streams.
 *
 * It starts for every command, so it is plain JavaScript, which needs no loader.
 */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

const [program, ...args] = process.argv.slice(2)
const { PRACTICE_PORT, PRACTICE_TOKEN: token, ...environment } = process.env
const socket = connect(Number(PRACTICE_PORT), '127.0.0.1')
const send = (message) => socket.write(`${JSON.stringify(message)}\n`)
const children = new Set()

function end(code) {
  for (const child of children) child.kill('SIGKILL')
  process.exit(code)
}
socket.on('error', () => {
  process.stderr.write(`${program}: the practice cluster does not answer\n`)
  end(1)
})
// The cluster has ended this job, or has itself ended.
socket.on('close', () => end(1))
for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(name, () => end(128 + constants.signals[name]))

send({ token, program, args, folder: process.cwd(), environment })
for await (const line of createInterface({ input: socket })) {
  const { say, stdin, run, answer } = JSON.parse(line)
  if (say) process.stderr.write(say)
  if (stdin) send({ stdin: await text(process.stdin) })
  if (run) send({ ended: Math.max(0, ...(await Promise.all(run.map(start)))) })
  if (answer) {
    // process.exit drops what is not yet written.
    await new Promise((resolve) => process.stdout.write(answer.stdout ?? '', resolve))
    await new Promise((resolve) => process.stderr.write(answer.stderr ?? '', resolve))
    process.exit(answer.code ?? 0)
  }
}

function start({ command: [file, ...rest], environment: added }) {
  return new Promise((resolve) => {
    const child = spawn(file, rest, { stdio: 'inherit', env: { ...process.env, ...added } })
    children.add(child)
    child.on('error', () => {
      process.stderr.write(`${program}: error: execve(): ${file}: No such file or directory\n`)
      resolve(2)
    })
    child.on('exit', (code, signal) => {
      children.delete(child)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}
