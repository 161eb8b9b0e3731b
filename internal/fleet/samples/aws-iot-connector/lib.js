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

// unless calls fn; an AWS error with the code is no error, and gives null.
function unless(code, fn) {
  try {
    return fn()
  } catch (e) {
    if (e.code !== code) throw e
    return null
  }
}

// make creates what may be there already.
const make = (operation, params) => unless('ResourceAlreadyExistsException', () => iot(operation, params))

const certificateId = (arn) => arn.split('/')[1]

// status is a certificate's, null of none.
function status(arn) {
  const answer = unless('ResourceNotFoundException', () => iot('DescribeCertificate', { certificateId: certificateId(arn) }))
  return answer && answer.certificateDescription.status
}

// attached are the policies of a certificate.
const attached = (arn) => iot('ListAttachedPolicies', { target: arn }).policies.map((p) => p.policyName)

// retire takes a certificate whose key is lost out of use.
function retire(thingName, principal) {
  iot('DetachThingPrincipal', { thingName, principal })
  iot('UpdateCertificate', { certificateId: certificateId(principal), newStatus: 'INACTIVE' })
  for (const name of attached(principal)) iot('DetachPolicy', { policyName: name, target: principal })
  eventually(() => iot('DeleteCertificate', { certificateId: certificateId(principal) }))
  log(`${thingName}: retired certificate ${certificateId(principal)}`)
}

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
