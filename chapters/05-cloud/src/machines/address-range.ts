/** The option that says from where one may log in. */
import { isIPv4 } from 'node:net'
import { accepting } from '@repo/common/example/options'

/** The widest range that is somebody's own: 65,536 addresses. */
const fewestBits = 16

/** A range of IPv4 addresses, `203.0.113.7/32`; an address alone is a range of one. Never everybody. */
export const addressRange = accepting(
  `IPv4 addresses such as 203.0.113.7 or 203.0.113.0/24, at most a /${fewestBits}: never the whole internet`,
  (text) => {
    const [address = '', bits = '32', ...rest] = text.split('/')
    const isRange = isIPv4(address) && /^\d{1,2}$/.test(bits) && rest.length === 0
    return isRange && Number(bits) >= fewestBits && Number(bits) <= 32 ? `${address}/${Number(bits)}` : undefined
  },
)
