package policy

import (
	"strconv"
	"strings"
)

// PrincipalType is what kind of caller makes a request.
type PrincipalType int

const (
	Anonymous     PrincipalType = iota // nobody in particular
	Root                               // the root user of an account
	User                               // an IAM user, also with a GetSessionToken session
	AssumedRole                        // a role session
	FederatedUser                      // a GetFederationToken session
	Service                            // an AWS service
	WebIdentity                        // the holder of an identity provider's token
)

// String is the value of aws:PrincipalType, empty where there is none.
func (t PrincipalType) String() string {
	return [...]string{"Anonymous", "Account", "User", "AssumedRole", "FederatedUser", "", ""}[t]
}

// Principal is the caller, as resource-based and trust policies see him.
type Principal struct {
	Type    PrincipalType
	ARN     string // of the user, the session, or the account's root
	Account string
	RoleARN string // AssumedRole: the role, with its path
	UserARN string // FederatedUser: the user who called GetFederationToken
	// UserID is the unique id: AIDA… of a user, AROA…:session of a role
	// session. Principal elements that hold an AIDA or AROA id match it.
	UserID   string
	Service  string // Service: its name, credentials.iot.amazonaws.com
	Provider string // WebIdentity: ARN or name of the provider
}

// Keys are the identity keys of the principal (IAM User Guide, "Where you can
// use policy variables"): aws:userid, aws:username, aws:PrincipalArn,
// aws:PrincipalAccount, aws:PrincipalType, aws:PrincipalIsAWSService and
// aws:PrincipalServiceName, those of them that he has.
func (p *Principal) Keys() Keys {
	var ks Keys
	add := func(name, value string) {
		if value != "" {
			ks = append(ks, Single(name, value))
		}
	}
	add("aws:PrincipalType", p.Type.String())
	add("aws:PrincipalAccount", p.Account)
	add("aws:PrincipalServiceName", p.Service)
	add("aws:PrincipalIsAWSService", strconv.FormatBool(p.Type == Service))
	switch p.Type {
	case Anonymous:
		add("aws:userid", "anonymous")
	case Root:
		add("aws:userid", p.Account)
		add("aws:PrincipalArn", p.ARN)
	case User:
		add("aws:userid", p.UserID)
		add("aws:username", p.ARN[strings.LastIndexByte(p.ARN, '/')+1:])
		add("aws:PrincipalArn", p.ARN)
	case AssumedRole:
		add("aws:userid", p.UserID)
		add("aws:PrincipalArn", p.RoleARN)
	case FederatedUser:
		add("aws:userid", p.UserID)
		add("aws:PrincipalArn", p.ARN)
	}
	return ks
}
