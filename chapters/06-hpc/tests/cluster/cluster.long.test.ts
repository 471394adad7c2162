/** The dialects on the practice cluster of which the shorter tests leave out something; most of Torque is that of PBS. */
import { behavesAs } from '../fixtures/dialects-on-cluster.ts'

behavesAs(['pbs', 'htcondor', 'torque'])
