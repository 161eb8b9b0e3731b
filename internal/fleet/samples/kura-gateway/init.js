// The key and certificate that aws-iot-connector made for this client. Names that begin with __$ are not shown in results.
state.__$key = glob.get(`aws_iotify_${client()}_key`)
state.__$cert = glob.get(`aws_iotify_${client()}_cert`)
if (!state.__$key) throw new Error(`the glob has no key for client ${client()}: run aws-iot-connector with more clients`)
state.thingName = glob.get(`aws_iotify_${client()}_thing`).thingName
state.started = Date.now()
