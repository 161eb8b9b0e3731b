package identity

import "github.com/thingd/thingd/internal/awsapi"

// sessionContext is what records say of a session: when it began, whether with
// MFA, and whose permissions it has. The session of a user's own
// (GetSessionToken) has no issuer.
func sessionContext(who *principal, c *claims) *awsapi.Session {
	s := &awsapi.Session{Created: c.issued(), MFA: c.MFA != 0, SourceIdentity: c.SourceIdentity}
	issuer := &awsapi.Issuer{ID: who.id, ARN: who.arn(), Account: who.account, UserName: who.name}
	switch {
	case who.kind == kindRole:
		issuer.Type = "Role"
	case c.Federated == "":
		return s
	case who.kind == kindRoot:
		issuer.Type = "Root"
	default:
		issuer.Type = "IAMUser"
	}
	s.Issuer = issuer
	return s
}
