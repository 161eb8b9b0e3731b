// control is the topic of what Kura says of itself.
const control = (what) => `${settings.control}/${settings.account}/${state.thingName}/MQTT/${what}`

// payload is Kura's: metrics in its protobuf, compressed.
const payload = (metrics) => kura.encode({ metrics }, { gzip: true })
