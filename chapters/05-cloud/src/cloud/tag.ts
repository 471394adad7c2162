/** The one tag that everything carries which this chapter creates on AWS: by it `instances clean` finds what is left. */
export const tagKey = 'created-by'
export const tagValue = 'distributed-computing-with-typescript'
/** The tag's value on what CloudFormation made of the stack, which is CloudFormation's to remove. */
export const stackTagValue = `${tagValue}-stack`
