/** Option types that the remote examples share. */
import { accepting } from '@repo/common/example/options'

const matching = (accepts: string, form: RegExp) => accepting(accepts, (text) => (form.test(text) ? text : undefined))

export const nameServerAddress = () => matching('ws://host:port', /^ws:\/\/[^\s/?#]+\/?$/)
export const objectName = () => matching('a name such as exchange.demo', /^[a-z][\w.-]{0,99}$/i)
export const listenAddress = () => matching('an address or a name of this machine', /^[\w.:-]+$/)
