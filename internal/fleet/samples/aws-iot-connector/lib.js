// What all devices share, by the names that IoTIFY's connector gives it.
const thingTypeName = 'iotify_type'
const thingGroupName = 'iotify'
const policyName = 'IOTIFY_AUTOMATED_POLICY'

// Where the glob keeps what is this client's own.
const keyName = `aws_iotify_${client()}_key`
const certName = `aws_iotify_${client()}_cert`
const thingKey = `aws_iotify_${client()}_thing`

// iot calls AWS IoT.
const iot = (operation, params) => aws('iot', operation, params)

// unless calls fn; an AWS error with one of the codes is no error, and gives null.
function unless(codes, fn) {
  try {
    return fn()
  } catch (e) {
    if (!codes.includes(e.code)) throw e
    return null
  }
}

// make creates what may be there already.
const make = (operation, params) => unless(['ResourceAlreadyExistsException'], () => iot(operation, params))

// eventually repeats what AWS refuses until a detachment has reached all of it.
function eventually(fn) {
  for (let i = 0; i < 10; i++) {
    try {
      return fn()
    } catch (e) {
      if (e.code !== 'DeleteConflictException') throw e
      sleep('1s')
    }
  }
  return fn()
}

const certificateId = (arn) => arn.split('/')[1]

// works tells whether a certificate is there, and active.
function works(arn) {
  const answer = unless(['ResourceNotFoundException'], () => iot('DescribeCertificate', { certificateId: certificateId(arn) }))
  return answer !== null && answer.certificateDescription.status === 'ACTIVE'
}

// retire takes a certificate that this connector made out of use.
function retire(thingName, principal) {
  const policies = iot('ListAttachedPolicies', { target: principal }).policies.map((p) => p.policyName)
  if (!policies.includes(policyName)) return // somebody else's
  iot('DetachThingPrincipal', { thingName, principal })
  iot('UpdateCertificate', { certificateId: certificateId(principal), newStatus: 'INACTIVE' })
  for (const name of policies) iot('DetachPolicy', { policyName: name, target: principal })
  eventually(() => iot('DeleteCertificate', { certificateId: certificateId(principal) }))
  log(`${thingName}: retired certificate ${certificateId(principal)}`)
}
