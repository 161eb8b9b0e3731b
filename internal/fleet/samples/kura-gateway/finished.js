publish(control('DC'), kura.encode({ timestamp: Date.now(), metrics: { uptime: `${Date.now() - state.started}` } }))
