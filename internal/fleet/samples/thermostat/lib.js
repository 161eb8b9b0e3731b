// report tells the shadow how things are.
function report() {
  shadow.update({ reported: { temperature: Math.round(state.temperature * 10) / 10, target: state.target, heating: state.heating } })
}
