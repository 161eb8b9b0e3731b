publish(control('DC'), payload({ uptime: `${Date.now() - state.started}` }))
