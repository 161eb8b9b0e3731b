// The name of the thing. Change it as you like, but leave client(): it makes names unique.
const thingName = `iotify_${client()}`

make('CreateThing', { thingName, thingTypeName })
iot('AddThingToThingGroup', { thingName, thingGroupName })
state.thingName = thingName
