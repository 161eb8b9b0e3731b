// Whoever finds nothing of any client any more deletes what all shared.
if (glob.list('aws_iotify_').length > 0) return

// later calls fn; what AWS keeps a while is no error.
function later(what, fn) {
  try {
    fn()
  } catch (e) {
    if (e.code !== 'DeleteConflictException' && e.code !== 'InvalidRequestException') throw e
    log(`AWS keeps the ${what} for up to five minutes: run this once more to delete it`)
  }
}

once('shared', () => {
  glob.delete('aws_iot_endpoint')
  later(`policy ${policyName}`, () => eventually('DeletePolicy', { policyName }))
  iot('DeleteThingGroup', { thingGroupName })
  iot('DeprecateThingType', { thingTypeName })
  later(`thing type ${thingTypeName}`, () => iot('DeleteThingType', { thingTypeName }))
})
