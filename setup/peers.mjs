/**
 * `npm run peers`: installs Celery and RQ as PyPI has them today, for chapter 4 and the bench, into a Python environment
 * of its own below node_modules/.cache. The system's package manager has older ones; the tests talk to both.
 */
import { environment, installInto } from './python.mjs'

/** The interpreter of the environment. */
export const { python: peersPython } = environment('peers')

// test.mjs imports this file only to ask where they are.
if (process.argv[1]?.endsWith('peers.mjs')) await installInto('peers', ['celery[redis]==5.7.0', 'rq==3.0.0'])
