// What the connector made for all devices.
const thingTypeName = 'iotify_type'
const thingGroupName = 'iotify'
const policyName = 'IOTIFY_AUTOMATED_POLICY'

// What it keeps of this client in the glob.
const names = ['key', 'cert', 'thing'].map((what) => `aws_iotify_${client()}_${what}`)
const made = glob.get(names[2]) || { thingName: `iotify_${client()}` }

// iot calls AWS IoT; null stands for the answer that there is no such thing any more.
function iot(operation, params) {
  try {
    return aws('iot', operation, params)
  } catch (e) {
    if (e.code !== 'ResourceNotFoundException') throw e
    return null
  }
}

// eventually repeats what AWS refuses until a detachment has reached all of it.
function eventually(operation, params) {
  for (let i = 0; i < 10; i++) {
    try {
      return iot(operation, params)
    } catch (e) {
      if (e.code !== 'DeleteConflictException' && e.code !== 'InvalidRequestException') throw e
      sleep('1s')
    }
  }
  return iot(operation, params)
}

// retire deletes a certificate, if the connector made it.
function retire(thingName, principal) {
  const attached = iot('ListAttachedPolicies', { target: principal })
  if (attached === null) return
  if (principal !== made.certificateArn && !attached.policies.some((p) => p.policyName === policyName)) return
  const certificateId = principal.split('/')[1]
  iot('DetachThingPrincipal', { thingName, principal })
  iot('UpdateCertificate', { certificateId, newStatus: 'INACTIVE' })
  for (const p of attached.policies) iot('DetachPolicy', { policyName: p.policyName, target: principal })
  eventually('DeleteCertificate', { certificateId })
}
