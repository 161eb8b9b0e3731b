if (!state.online) {
  publish(`sensors/${settings.place}/${state.thingName}/status`, 'online', { qos: 1, retain: true })
  state.online = true
}

// Values wander: each is the last one and a small step.
state.temperature = clamp(state.temperature + chance.normal({ mean: 0, dev: 0.2 }), -30, 50)
state.humidity = clamp(state.humidity + chance.normal({ mean: 0, dev: 0.5 }), 0, 100)
state.battery = Math.max(0, state.battery - 0.01)
metrics.gauge('temperature', state.temperature)

return {
  thing: state.thingName,
  time: Date.now(),
  temperature: round(state.temperature),
  humidity: round(state.humidity),
  battery: round(state.battery)
}
