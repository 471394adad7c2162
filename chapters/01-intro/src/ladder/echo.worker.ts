/** The thread of the `latency` example that sends every message back. */
import { parentPort } from 'node:worker_threads'

parentPort?.on('message', (message: unknown) => parentPort?.postMessage(message))
parentPort?.postMessage('ready')
