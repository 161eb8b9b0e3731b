if (!state.online) {
  publish(`sensors/${settings.place}/${state.thingName}/status`, 'online', { qos: 1, retain: true })
  state.online = true
}

// Values wander: each is one step from the last.
state.temperature = chance.walk('temperature', { start: 15, step: 0.2, min: -30, max: 50, fixed: 1 })
state.humidity = chance.walk('humidity', { start: 60, step: 0.5, min: 0, max: 100, fixed: 1 })
state.battery = Math.max(0, state.battery - 0.01)
metrics.gauge('temperature', state.temperature)

return {
  thing: state.thingName,
  time: Date.now(),
  temperature: state.temperature,
  humidity: state.humidity,
  battery: Math.round(state.battery)
}
