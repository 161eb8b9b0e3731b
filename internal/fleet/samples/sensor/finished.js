publish(`sensors/${settings.place}/${state.thingName}/status`, 'offline', { qos: 1, retain: true })
