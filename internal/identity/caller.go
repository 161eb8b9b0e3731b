package identity

import (
	"strconv"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/policy"
)

// credential is the authenticator's knowledge of a caller, in
// awsapi.Caller.Identity: by which key or session it was found, and what
// policies have a say. It is immutable.
type credential struct {
	key     *cachedKey     // long-term, or
	session *cachedSession // temporary, or neither: UserCaller
	who     *principal
	input   policy.Input // less the resource's side
}

// mfaAt is when the caller showed a code of an MFA device, in milliseconds, 0 if
// he did not. One that was shown to AssumeRole counts for that decision only:
// "the temporary credentials returned by AssumeRole do not include MFA
// information in the context" (IAM User Guide, "Secure API access with MFA").
func (c *credential) mfaAt() int64 {
	if c.session == nil || c.who.kind == kindRole {
		return 0
	}
	return c.session.claims.MFA
}

// newCaller puts together all that is known of a caller beforehand, so that
// nothing of it is made for each request.
func newCaller(who *principal, key *cachedKey, session *cachedSession) *awsapi.Caller {
	c := &awsapi.Caller{Account: who.account, ARN: who.arn(), UserID: who.id}
	p := policy.Principal{Account: who.account}
	switch who.kind {
	case kindRoot:
		c.Type, p.Type = awsapi.Root, policy.Root
	case kindUser:
		c.Type, p.Type = awsapi.User, policy.User
		c.UserName = who.name
	case kindRole:
		c.Type, p.Type = awsapi.AssumedRole, policy.AssumedRole
		c.ARN = sessionARN(who.account, who.name, session.claims.Session)
		c.UserID = who.id + ":" + session.claims.Session
		p.RoleARN = who.arn()
	}
	if session != nil && session.claims.Federated != "" {
		c.Type, p.Type = awsapi.FederatedUser, policy.FederatedUser
		p.UserARN = who.arn()
		c.ARN, c.UserName = federatedARN(who.account, session.claims.Federated), ""
		c.UserID = federatedID(who.account, session.claims.Federated)
	}
	p.ARN, p.UserID = c.ARN, c.UserID
	cred := &credential{key: key, session: session, who: who}
	in := policy.Input{Principal: p, Keys: p.Keys(), Identity: who.policies, Boundary: who.limit}
	single := func(name, value string) { in.Keys = append(in.Keys, policy.Single(name, value)) }
	single("aws:PrincipalIsAWSService", "false")
	single("aws:ViaAWSService", "false")
	if session != nil {
		c.AccessKeyID, c.Session = session.claims.KeyID, sessionContext(who, session.claims)
		in.Session, in.HasSession = session.policies, session.claims.limited()
		single("aws:TokenIssueTime", session.claims.issued().Format(timeISO))
		single("aws:MultiFactorAuthPresent", strconv.FormatBool(cred.mfaAt() != 0))
		if id := session.claims.SourceIdentity; id != "" {
			single("aws:SourceIdentity", id)
		}
		in.Keys = append(in.Keys, sessionKeys(session.claims)...)
		for _, t := range session.claims.Tags {
			single("aws:PrincipalTag/"+t[0], t[1]) // before, and so above, the role's own
		}
	} else if key != nil {
		c.AccessKeyID = key.id
	}
	for _, t := range who.tags {
		single("aws:PrincipalTag/"+t.Key, t.Value)
	}
	cred.input = in
	c.Identity = cred
	return c
}

// sessionKeys are the further context keys that a session brings along.
func sessionKeys(c *claims) policy.Keys {
	keys := make(policy.Keys, 0, len(c.Keys)+len(c.Sets))
	for name, value := range c.Keys {
		keys = append(keys, policy.Single(name, value))
	}
	for name, values := range c.Sets {
		keys = append(keys, policy.Multi(name, values...))
	}
	return keys
}

// timeISO is the form of times in condition keys.
const timeISO = "2006-01-02T15:04:05Z"

// sessionARN is the ARN of a role session, which has no path.
func sessionARN(account, role, session string) string {
	return arn.New("sts", "", account, "assumed-role/"+role+"/"+session)
}

// federatedARN is the ARN of a GetFederationToken session.
func federatedARN(account, name string) string {
	return arn.New("sts", "", account, "federated-user/"+name)
}

// federatedID is the unique id of a GetFederationToken session.
func federatedID(account, name string) string { return account + ":" + name }
