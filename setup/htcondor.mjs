/**
 * `npm run htcondor`: installs HTCondor's own library for Python, which judges in the tests of chapter 6 what we write for
 * HTCondor and read from it, into Python environments of its own below node_modules/.cache. It has the parsers and no
 * daemon. Version 24 is the last that makes jobs out of a submit description without one.
 */
import { installInto } from './python.mjs'

await installInto('htcondor', ['htcondor==25.14.1'])
await installInto('htcondor-24', ['htcondor==24.12.24'])
