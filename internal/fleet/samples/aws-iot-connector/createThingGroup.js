once('group', () => {
  make('CreateThingGroup', { thingGroupName })
})
