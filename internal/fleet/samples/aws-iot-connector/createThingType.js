once('type', () => {
  make('CreateThingType', { thingTypeName })
  const { thingTypeMetadata } = iot('DescribeThingType', { thingTypeName })
  if (thingTypeMetadata.deprecated) iot('DeprecateThingType', { thingTypeName, undoDeprecate: true })
})
