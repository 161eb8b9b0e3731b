package registry

// kind is what a key is about.
type kind uint8

const (
	aCertificate kind = iota // by id alone, in all accounts and regions
	aPolicy                  // its default version, compiled
	aPolicyList              // what is attached to a principal or a group
	aThing                   // that it exists, its type and attributes
	anAttachment             // of a principal to a thing
	aThingList               // the things of a principal
	aGroupList               // the groups of a thing; without a name, of all things
	aRoleAlias
	aSetting   // by name: event configurations, all that is set of logging
	anEndpoint // never changes
)

// key names something that is cached, and that a write changes.
type key struct {
	kind            kind
	account, region string
	name, other     string
}

// place is an account's part of a region.
type place struct{ account, region string }
