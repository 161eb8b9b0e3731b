if (!state.born) {
  const birth = {
    uptime: '0', display_name: state.thingName, model_name: 'Virtual', serial_number: `${client()}`,
    os: 'Linux', os_arch: 'aarch64', kura_version: 'KURA_5.5.0', accept_encoding: 'gzip', application_ids: 'W1'
  }
  publish(control('BIRTH'), payload(birth), { qos: 1 })
  state.born = true
}

state.boiler = chance.walk('boiler', { start: 60, step: 0.5, min: 40, max: 90, fixed: 1 })
return payload({ assetName: 'boiler', temperature: state.boiler, pump: state.boiler < 60, errors: 0 })
