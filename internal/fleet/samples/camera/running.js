// The video is made here: a test picture in H.264.
const sent = putMedia({ streamName: state.stream, duration: `${settings.seconds}s`, fps: 10, ...credentials() })
if (sent.refused > 0) throw new Error(`${sent.refused} fragments were refused`)
state.fragments = (state.fragments || 0) + sent.fragments
metrics.counter('fragments', sent.fragments)
