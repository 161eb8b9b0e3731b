// control is the topic of what Kura says of itself.
const control = (what) => `${settings.control}/${settings.account}/${state.thingName}/MQTT/${what}`
