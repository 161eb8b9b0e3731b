// Whoever finds nothing of any client any more deletes what all shared.
if (glob.list('aws_iotify_').length > 0) return
once('shared', () => {
  eventually('DeletePolicy', { policyName })
  iot('DeleteThingGroup', { thingGroupName })
  iot('DeprecateThingType', { thingTypeName })
  glob.delete('aws_iot_endpoint')
  try {
    iot('DeleteThingType', { thingTypeName })
  } catch (e) {
    if (e.code !== 'InvalidRequestException') throw e
    log(`AWS keeps the thing type ${thingTypeName} for five minutes: run this once more to delete it`)
  }
})
