package policy

import (
	"strings"
	"testing"
)

const (
	acct  = "111122223333"
	other = "444455556666"
)

var (
	rootUser  = Principal{Type: Root, ARN: "arn:aws:iam::" + acct + ":root", Account: acct}
	alice     = Principal{Type: User, ARN: "arn:aws:iam::" + acct + ":user/eng/alice", Account: acct, UserID: "AIDA2XMPLQ7N2HVK6RTBC"}
	camera    = Principal{Type: AssumedRole, ARN: "arn:aws:sts::" + acct + ":assumed-role/cam/s1", RoleARN: "arn:aws:iam::" + acct + ":role/dev/cam", Account: acct, UserID: "AROA2XMPLQ7N2HVK6RTBC:s1"}
	federated = Principal{Type: FederatedUser, ARN: "arn:aws:sts::" + acct + ":federated-user/bob", UserARN: "arn:aws:iam::" + acct + ":user/eng/alice", Account: acct, UserID: acct + ":bob"}
	ofRoot    = Principal{Type: FederatedUser, ARN: federated.ARN, UserARN: rootUser.ARN, Account: acct, UserID: acct + ":bob"}
	provider  = Principal{Type: Service, Service: "credentials.iot.amazonaws.com"}
	web       = Principal{Type: WebIdentity, Provider: "arn:aws:iam::" + acct + ":oidc-provider/issuer.example"}
	nobody    = Principal{Type: Anonymous}
)

// stmt is a document of one statement.
func stmt(effect, elements string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"` + effect + `1","Effect":"` + effect + `",` + elements + `}]}`
}

const anything = `"Action":"*","Resource":"*"`

func TestDecideOrder(t *testing.T) {
	allowAll, denyAll := stmt("Allow", anything), stmt("Deny", anything)
	iotOnly := stmt("Allow", `"Action":"iot:*","Resource":"*"`)
	to := func(principal string) string { return stmt("Allow", `"Principal":`+principal+`,`+anything) }
	aws := func(id string) string { return to(`{"AWS":"` + id + `"}`) }
	from := func(principal string) string {
		return stmt("Allow", `"Principal":`+principal+`,"Action":"sts:AssumeRole"`)
	}
	none := []string{}
	tests := []struct {
		name     string
		who      Principal
		identity []string
		boundary string
		session  []string // nil: none passed
		resource string
		trust    string
		owner    string // account of the resource, empty: the caller's
		want     Outcome
		source   Source
	}{
		{name: "nothing", who: alice, want: ImplicitDeny, source: SourceIdentity},
		{name: "identity", who: alice, identity: []string{allowAll}, want: Allowed, source: SourceIdentity},
		{name: "deny wins", who: alice, identity: []string{allowAll, denyAll}, want: ExplicitDeny, source: SourceIdentity},
		{name: "root", who: rootUser, want: Allowed, source: SourceNone},
		{name: "root under a resource deny", who: rootUser, resource: stmt("Deny", `"Principal":"*",`+anything), want: ExplicitDeny, source: SourceResource},
		{name: "boundary allows", who: alice, identity: []string{allowAll}, boundary: allowAll, want: Allowed, source: SourceIdentity},
		{name: "boundary alone", who: alice, boundary: allowAll, want: ImplicitDeny, source: SourceIdentity},
		{name: "boundary is silent", who: alice, identity: []string{allowAll}, boundary: iotOnly, want: ImplicitDeny, source: SourceBoundary},
		{name: "boundary denies", who: alice, identity: []string{allowAll}, boundary: denyAll, want: ExplicitDeny, source: SourceBoundary},
		{name: "session allows", who: camera, identity: []string{allowAll}, session: []string{iotOnly, allowAll}, want: Allowed, source: SourceIdentity},
		{name: "session alone", who: camera, session: []string{allowAll}, want: ImplicitDeny, source: SourceIdentity},
		{name: "session is silent", who: camera, identity: []string{allowAll}, session: []string{iotOnly}, want: ImplicitDeny, source: SourceSession},
		{name: "session empty", who: camera, identity: []string{allowAll}, session: none, want: ImplicitDeny, source: SourceSession},
		{name: "session denies", who: camera, identity: []string{allowAll}, session: []string{allowAll, denyAll}, want: ExplicitDeny, source: SourceSession},
		{name: "federated without session policy", who: federated, identity: []string{allowAll}, want: ImplicitDeny, source: SourceSession},
		{name: "federated with", who: federated, identity: []string{allowAll}, session: []string{allowAll}, want: Allowed, source: SourceIdentity},

		{name: "federated by root", who: ofRoot, session: []string{allowAll}, want: Allowed, source: SourceNone},
		{name: "federated by root without session policy", who: ofRoot, want: ImplicitDeny, source: SourceSession},
		{name: "federated by root, session is silent", who: ofRoot, session: []string{iotOnly}, want: ImplicitDeny, source: SourceSession},

		{name: "user named", who: alice, boundary: iotOnly, resource: aws(alice.ARN), want: Allowed, source: SourceResource},
		{name: "user id named", who: alice, resource: aws(alice.UserID), want: Allowed, source: SourceResource},
		{name: "another id named", who: alice, resource: aws("AIDA000000000000000000"), want: ImplicitDeny, source: SourceIdentity},
		{name: "user in another case", who: alice, resource: aws(strings.Replace(alice.ARN, "alice", "Alice", 1)), want: ImplicitDeny, source: SourceIdentity},
		{name: "account named", who: alice, resource: aws(acct), want: ImplicitDeny, source: SourceIdentity},
		{name: "account and identity", who: alice, identity: []string{allowAll}, resource: aws(acct), want: Allowed, source: SourceIdentity},
		{name: "everybody", who: alice, resource: to(`"*"`), want: Allowed, source: SourceResource},
		{name: "everybody, listed", who: alice, resource: aws("*"), want: Allowed, source: SourceResource},
		{name: "everybody under a boundary", who: alice, boundary: iotOnly, resource: to(`"*"`), want: ImplicitDeny, source: SourceBoundary},
		{name: "session named", who: camera, session: []string{iotOnly}, boundary: iotOnly, resource: aws(camera.ARN), want: Allowed, source: SourceResource},
		{name: "role named", who: camera, resource: aws(camera.RoleARN), want: Allowed, source: SourceResource},
		{name: "role id named", who: camera, resource: aws("AROA2XMPLQ7N2HVK6RTBC"), want: Allowed, source: SourceResource},
		{name: "role under a session policy", who: camera, session: []string{iotOnly}, resource: aws(camera.RoleARN), want: ImplicitDeny, source: SourceSession},
		{name: "role under a boundary", who: camera, boundary: iotOnly, resource: aws(camera.RoleARN), want: ImplicitDeny, source: SourceBoundary},
		{name: "federated named", who: federated, resource: aws(federated.ARN), want: Allowed, source: SourceResource},
		{name: "federated by its user", who: federated, resource: aws(federated.UserARN), session: []string{allowAll}, want: Allowed, source: SourceResource},
		{name: "federated by its user, no session policy", who: federated, resource: aws(federated.UserARN), want: ImplicitDeny, source: SourceSession},
		{name: "anonymous", who: nobody, resource: to(`"*"`), want: Allowed, source: SourceResource},
		{name: "anonymous, account", who: nobody, resource: aws(acct), want: ImplicitDeny, source: SourceResource},
		{name: "service", who: provider, resource: to(`{"Service":"credentials.iot.amazonaws.com"}`), want: Allowed, source: SourceResource},
		{name: "other service", who: provider, resource: to(`{"Service":"iot.amazonaws.com"}`), want: ImplicitDeny, source: SourceResource},

		{name: "cross account, identity only", who: alice, owner: other, identity: []string{allowAll}, want: ImplicitDeny, source: SourceResource},
		{name: "cross account, resource only", who: alice, owner: other, resource: aws(alice.ARN), want: ImplicitDeny, source: SourceIdentity},
		{name: "cross account, both", who: alice, owner: other, identity: []string{allowAll}, resource: aws(acct), want: Allowed, source: SourceIdentity},
		{name: "cross account under a boundary", who: alice, owner: other, identity: []string{allowAll}, boundary: iotOnly, resource: aws(alice.ARN), want: ImplicitDeny, source: SourceBoundary},
		{name: "cross account session", who: camera, owner: other, identity: []string{allowAll}, session: []string{iotOnly}, resource: aws(camera.ARN), want: ImplicitDeny, source: SourceSession},
		{name: "cross account root", who: rootUser, owner: other, want: ImplicitDeny, source: SourceResource},
		{name: "cross account root, account named", who: rootUser, owner: other, resource: aws(acct), want: Allowed, source: SourceNone},
		{name: "cross account, everybody", who: alice, owner: other, resource: to(`"*"`), want: ImplicitDeny, source: SourceIdentity},

		{name: "trust nobody", who: alice, trust: from(`{"AWS":"` + other + `"}`), identity: []string{allowAll}, want: ImplicitDeny, source: SourceTrust},
		{name: "trust a user", who: alice, trust: from(`{"AWS":"` + alice.ARN + `"}`), want: Allowed, source: SourceTrust},
		{name: "trust the account", who: alice, trust: from(`{"AWS":"` + acct + `"}`), want: ImplicitDeny, source: SourceIdentity},
		{name: "trust the account, identity", who: alice, trust: from(`{"AWS":"` + acct + `"}`), identity: []string{allowAll}, want: Allowed, source: SourceIdentity},
		{name: "trust a role", who: camera, trust: from(`{"AWS":"` + camera.RoleARN + `"}`), want: Allowed, source: SourceTrust},
		{name: "trust a role under a session policy", who: camera, session: []string{iotOnly}, trust: from(`{"AWS":"` + camera.RoleARN + `"}`), want: ImplicitDeny, source: SourceSession},
		{name: "trust a user, identity denies", who: alice, trust: from(`{"AWS":"` + alice.ARN + `"}`), identity: []string{denyAll}, want: ExplicitDeny, source: SourceIdentity},
		{name: "trust a user abroad", who: alice, owner: other, trust: from(`{"AWS":"` + alice.ARN + `"}`), want: ImplicitDeny, source: SourceIdentity},
		{name: "trust a user abroad, identity", who: alice, owner: other, trust: from(`{"AWS":"` + alice.ARN + `"}`), identity: []string{allowAll}, want: Allowed, source: SourceIdentity},
		{name: "trust a service", who: provider, owner: acct, trust: from(`{"Service":["x.amazonaws.com","credentials.iot.amazonaws.com"]}`), want: Allowed, source: SourceTrust},
		{name: "trust another service", who: provider, owner: acct, trust: from(`{"Service":"iot.amazonaws.com"}`), want: ImplicitDeny, source: SourceTrust},
		{name: "trust a provider", who: web, owner: acct, trust: from(`{"Federated":"` + web.Provider + `"}`), want: Allowed, source: SourceTrust},
		{name: "trust denies", who: provider, trust: stmt("Deny", `"Principal":"*","Action":"*"`), want: ExplicitDeny, source: SourceTrust},

		{name: "NotPrincipal, listed with account", who: alice, identity: []string{allowAll}, resource: stmt("Deny", `"NotPrincipal":{"AWS":["`+alice.ARN+`","`+acct+`"]},`+anything), want: Allowed, source: SourceIdentity},
		{name: "NotPrincipal, listed without account", who: alice, identity: []string{allowAll}, resource: stmt("Deny", `"NotPrincipal":{"AWS":"`+alice.ARN+`"},`+anything), want: ExplicitDeny, source: SourceResource},
		{name: "NotPrincipal, account only", who: alice, identity: []string{allowAll}, resource: stmt("Deny", `"NotPrincipal":{"AWS":"`+acct+`"},`+anything), want: ExplicitDeny, source: SourceResource},
		{name: "NotPrincipal, role and account", who: camera, identity: []string{allowAll}, resource: stmt("Deny", `"NotPrincipal":{"AWS":["`+camera.RoleARN+`","`+acct+`"]},`+anything), want: Allowed, source: SourceIdentity},
		{name: "NotPrincipal, service", who: provider, resource: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` + anything + `},{"Effect":"Deny","NotPrincipal":{"Service":"credentials.iot.amazonaws.com"},` + anything + `}]}`, want: Allowed, source: SourceResource},
		{name: "NotPrincipal with Allow, listed", who: alice, resource: stmt("Allow", `"NotPrincipal":{"AWS":"`+acct+`"},`+anything), want: ImplicitDeny, source: SourceIdentity},
		{name: "NotPrincipal with Allow, others", who: alice, resource: stmt("Allow", `"NotPrincipal":{"AWS":"`+other+`"},`+anything), want: Allowed, source: SourceResource},
		{name: "resource policy without principal", who: alice, resource: allowAll, want: ImplicitDeny, source: SourceIdentity},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &Input{Principal: tt.who, HasSession: tt.session != nil}
			for _, doc := range tt.identity {
				in.Identity = append(in.Identity, mustCompile(t, Identity, doc))
			}
			for _, doc := range tt.session {
				in.Session = append(in.Session, mustCompile(t, Session, doc))
			}
			if tt.boundary != "" {
				in.Boundary = mustCompile(t, Identity, tt.boundary)
			}
			req := &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: tt.owner}
			if tt.resource != "" {
				in.Resource = mustCompile(t, Resource, tt.resource)
			}
			if tt.trust != "" {
				in.Resource, in.Trust = mustCompile(t, Trust, tt.trust), true
				req.Action, req.Resource = "sts:AssumeRole", "arn:aws:iam::"+acct+":role/r"
			}
			d := in.Decide(req)
			if d.Outcome != tt.want || d.Source != tt.source {
				t.Errorf("%s by %q, want %s by %q", d.Outcome, d.Source, tt.want, tt.source)
			}
			if d.Outcome == ImplicitDeny != (d.Statement < 0) && d.Source != SourceNone {
				t.Errorf("statement %d of %s", d.Statement, d.Outcome)
			}
			if slow := slowDecide(in, req); slow != tt.want {
				t.Errorf("the slow evaluator says %s", slow)
			}
			x := in.Explain(req)
			if x.Decision != d {
				t.Errorf("Explain decides %+v, Decide %+v", x.Decision, d)
			}
			suggestionAllows(t, in, req, x)
		})
	}
}

// suggestionAllows adds the suggested statement where it belongs, again and
// again while another kind of policy is in the way, until the request passes.
func suggestionAllows(t *testing.T, in *Input, req *Request, x Explanation) {
	t.Helper()
	for range 4 {
		if x.Decision.Outcome != ImplicitDeny {
			break
		}
		doc := `{"Version":"2012-10-17","Statement":[` + x.Suggestion + `]}`
		switch x.Decision.Source {
		case SourceIdentity:
			in.Identity = append(in.Identity, mustCompile(t, Identity, doc))
		case SourceBoundary:
			in.Boundary = mustCompile(t, Identity, doc)
		case SourceSession:
			in.Session = append(in.Session, mustCompile(t, Session, doc))
		case SourceResource:
			in.Resource = mustCompile(t, Resource, doc)
		case SourceTrust:
			in.Resource = mustCompile(t, Trust, doc)
		}
		x = in.Explain(req)
	}
	if x.Decision.Outcome == ImplicitDeny {
		t.Errorf("suggestions do not help: %s", x.Suggestion)
	}
}

func TestDecisionNamesItsStatement(t *testing.T) {
	p := mustCompile(t, Identity, `{"Version":"2012-10-17","Statement":[
		{"Sid":"Read","Effect":"Allow","Action":"iot:Describe*","Resource":"*"},
		{"Sid":"Write","Effect":"Allow","Action":"iot:*","Resource":"*"},
		{"Sid":"Never","Effect":"Deny","Action":"iot:DeleteThing","Resource":"*"}]}`).Named("fleet")
	in := &Input{Principal: alice, Identity: []*Policy{mustCompile(t, Identity, stmt("Allow", `"Action":"iam:*","Resource":"*"`)).Named("first"), p}}
	for action, want := range map[string]Decision{
		"iot:DescribeThing": {Allowed, SourceIdentity, "fleet", "Read", 0},
		"iot:UpdateThing":   {Allowed, SourceIdentity, "fleet", "Write", 1},
		"iot:DeleteThing":   {ExplicitDeny, SourceIdentity, "fleet", "Never", 2},
		"iam:GetUser":       {Allowed, SourceIdentity, "first", "Allow1", 0},
		"sts:AssumeRole":    {ImplicitDeny, SourceIdentity, "", "", -1},
	} {
		if d := in.Decide(&Request{Action: action, Resource: "*"}); d != want {
			t.Errorf("%s: %+v, want %+v", action, d, want)
		}
	}
}

func TestReason(t *testing.T) {
	for want, d := range map[string]Decision{
		"": {Outcome: Allowed, Source: SourceIdentity},
		"because no identity-based policy allows the iam:ListUsers action": {Outcome: ImplicitDeny, Source: SourceIdentity},
		"because no permissions boundary allows the iam:ListUsers action":  {Outcome: ImplicitDeny, Source: SourceBoundary},
		"because no session policy allows the iam:ListUsers action":        {Outcome: ImplicitDeny, Source: SourceSession},
		"because no resource-based policy allows the iam:ListUsers action": {Outcome: ImplicitDeny, Source: SourceResource},
		"because no role trust policy allows the iam:ListUsers action":     {Outcome: ImplicitDeny, Source: SourceTrust},
		"with an explicit deny in an identity-based policy":                {Outcome: ExplicitDeny, Source: SourceIdentity},
		"with an explicit deny in a permissions boundary":                  {Outcome: ExplicitDeny, Source: SourceBoundary},
		"with an explicit deny in a session policy":                        {Outcome: ExplicitDeny, Source: SourceSession},
		"with an explicit deny in a resource-based policy":                 {Outcome: ExplicitDeny, Source: SourceResource},
		"with an explicit deny in the role trust policy":                   {Outcome: ExplicitDeny, Source: SourceTrust},
	} {
		if got := d.Reason("iam:ListUsers"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPrincipalKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		who  Principal
		want map[string]string
	}{
		"root":      {rootUser, map[string]string{"aws:PrincipalType": "Account", "aws:userid": acct, "aws:PrincipalArn": rootUser.ARN, "aws:PrincipalAccount": acct, "aws:username": ""}},
		"user":      {alice, map[string]string{"aws:PrincipalType": "User", "aws:userid": alice.UserID, "aws:PrincipalArn": alice.ARN, "aws:username": "alice"}},
		"role":      {camera, map[string]string{"aws:PrincipalType": "AssumedRole", "aws:userid": camera.UserID, "aws:PrincipalArn": camera.RoleARN, "aws:username": ""}},
		"federated": {federated, map[string]string{"aws:PrincipalType": "FederatedUser", "aws:userid": acct + ":bob", "aws:PrincipalArn": federated.ARN, "aws:username": ""}},
		"service":   {provider, map[string]string{"aws:PrincipalType": "", "aws:userid": "", "aws:PrincipalArn": ""}},
		"anonymous": {nobody, map[string]string{"aws:PrincipalType": "Anonymous", "aws:userid": "anonymous", "aws:PrincipalArn": ""}},
	} {
		keys := tt.who.Keys()
		for key, want := range tt.want {
			k, ok := keys.Lookup(strings.ToUpper(key))
			if ok != (want != "") || ok && k.Values()[0] != want {
				t.Errorf("%s: %s = %v, want %q", name, key, k.Values(), want)
			}
		}
	}
}

func TestKeysLayers(t *testing.T) {
	in := &Input{
		Principal: alice, Keys: Keys{Single("aws:a", "caller"), Single("aws:b", "caller")},
		Identity: []*Policy{mustCompile(t, Identity, stmt("Allow", anything+`,"Condition":{"StringEquals":{"aws:a":"request","aws:b":"caller"}}`))},
	}
	if d := in.Decide(&Request{Action: "iot:X", Resource: "*", Keys: Keys{Single("AWS:A", "request")}}); d.Outcome != Allowed {
		t.Errorf("request keys over caller keys: %s", d.Outcome)
	}
	if d := in.Decide(&Request{Action: "iot:X", Resource: "*", Keys: Keys{Multi("aws:a"), Single("aws:a", "request")}}); d.Outcome != ImplicitDeny {
		t.Errorf("an empty set hides what lies below: %s", d.Outcome)
	}
}
