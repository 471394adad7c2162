/** The dialect on the practice cluster that the shorter tests leave out: most of it is that of PBS. */
import { behavesAs } from '../fixtures/dialects-on-cluster.ts'

behavesAs('torque')
