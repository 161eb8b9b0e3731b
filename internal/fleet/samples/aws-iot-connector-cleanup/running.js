const { thingName, certificateArn } = made
const attached = iot('ListThingPrincipals', { thingName })
const principals = new Set(attached === null ? [] : attached.principals)
if (certificateArn) principals.add(certificateArn)
for (const principal of principals) retire(thingName, principal)
eventually('DeleteThing', { thingName })
for (const name of names) glob.delete(name)
