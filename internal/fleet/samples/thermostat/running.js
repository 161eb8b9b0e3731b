if (!state.listening) {
  const known = shadow.get()
  if (known && known.state.desired) follow(known.state.desired)
  shadow.onDelta((delta) => {
    follow(delta)
    report()
  })
  state.listening = true
}

// Heating warms the room, the cold outside cools it.
state.heating = state.temperature < state.target - (state.heating ? 0 : 0.5)
state.temperature += (state.heating ? 0.3 : 0) - 0.01 * (state.temperature - 5) + chance.normal({ mean: 0, dev: 0.05 })
report()
