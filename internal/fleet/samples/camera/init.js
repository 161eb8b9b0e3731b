const made = glob.get(`aws_iotify_${client()}_thing`)
state.stream = made ? made.thingName : `camera_${client()}`

if (settings.roleAlias) {
  // The key and certificate that aws-iot-connector made for this client.
  state.__$key = glob.get(`aws_iotify_${client()}_key`)
  state.__$cert = glob.get(`aws_iotify_${client()}_cert`)
  if (!state.__$key) throw new Error(`the glob has no key for client ${client()}: run aws-iot-connector with more clients`)
}

const keys = credentials()
try {
  aws('kinesisvideo', 'DescribeStream', { StreamName: state.stream }, keys)
} catch (e) {
  if (e.code !== 'ResourceNotFoundException') throw e
  aws('kinesisvideo', 'CreateStream', { StreamName: state.stream, MediaType: 'video/h264', DataRetentionInHours: 24 }, keys)
}
