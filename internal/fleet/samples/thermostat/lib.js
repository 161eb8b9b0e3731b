// report tells the shadow how things are.
function report() {
  shadow.update({ reported: { temperature: Math.round(state.temperature * 10) / 10, target: state.target, heating: state.heating } })
}

// follow sets what the shadow desires, if it is a temperature for people.
function follow(desired) {
  if (typeof desired.target === 'number') state.target = Math.min(30, Math.max(5, desired.target))
}
