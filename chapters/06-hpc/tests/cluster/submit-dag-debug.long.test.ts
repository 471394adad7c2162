/** submit, dag and debug on the practice cluster, by the schedulers that the shorter tests leave out. */
import { showThemOn } from '../fixtures/submit-dag-debug.ts'

showThemOn('pbs', 'torque')
