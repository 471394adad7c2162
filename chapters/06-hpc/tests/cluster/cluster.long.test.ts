/** The dialects on the practice cluster that the shorter tests leave out. */
import { behavesAs } from '../fixtures/dialects-on-cluster.ts'

behavesAs(['pbs', 'htcondor', 'torque'])
