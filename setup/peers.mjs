/**
 * `npm run peers`: installs Celery, RQ, Pyro and Paramiko as PyPI has them today, for chapter 4 and the bench, into a Python environment
 * of its own below node_modules/.cache. The system's package manager has older ones; the tests talk to both.
 */
import { installInto } from './python.mjs'

await installInto('peers', ['celery[redis]==5.7.0', 'rq==3.0.0', 'Pyro5==5.17', 'paramiko==5.1.0'])
