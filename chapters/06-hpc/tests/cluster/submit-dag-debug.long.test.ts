/** submit, dag and debug on the practice cluster, by the schedulers that the shorter tests leave out. */
import { showDagOn, showJobsOn } from '../fixtures/submit-dag-debug.ts'

showJobsOn('htcondor', 'pbs', 'torque')
showDagOn('htcondor', 'pbs', 'torque')
