if (!state.born) {
  const birth = {
    uptime: '0', display_name: state.thingName, model_name: 'Virtual', serial_number: `${client()}`,
    os: 'Linux', os_arch: 'aarch64', kura_version: 'KURA_5.5.0', accept_encoding: 'gzip', application_ids: 'W1'
  }
  publish(control('BIRTH'), kura.encode({ timestamp: Date.now(), metrics: birth }), { qos: 1 })
  state.born = true
}

state.boiler = Math.min(90, Math.max(40, state.boiler + chance.normal({ mean: 0, dev: 0.5 })))
return kura.encode({
  timestamp: Date.now(),
  metrics: { assetName: 'boiler', temperature: state.boiler, pump: state.boiler < 60, errors: 0 }
})
