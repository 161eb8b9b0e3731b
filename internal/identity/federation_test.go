package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/policy"
)

func (g *rig) federate(c *awsapi.Caller, in *sts.GetFederationTokenRequest) (*sts.GetFederationTokenResponse, error) {
	return do(g, c, sts.Service, "GetFederationToken", g.GetFederationToken, in)
}

// allows is allow for several actions.
func allows(actions ...string) string {
	return strings.NewReplacer(`"Action":"`, `"Action":["`, `","Resource"`, `"],"Resource"`).Replace(allow(strings.Join(actions, `","`)))
}

func rootCreds(c *RootCredentials) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
}

// foreigner makes a user of another account.
func (g *rig) foreigner(account *RootCredentials, name, document string) *awsapi.Caller {
	g.t.Helper()
	other := &rig{Service: g.Service, t: g.t, root: rootCreds(account)}
	_, creds := other.user(name, document)
	return g.caller(creds)
}

// managed makes a managed policy and returns its ARN.
func (g *rig) managed(name, document string) string {
	g.t.Helper()
	p := must(iamDo(g, g.caller(g.root), "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: name, PolicyDocument: document}))(g.t)
	return *p.Policy.Arn
}

func TestGetFederationToken(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		u, creds := g.user("alice", allows("sts:GetFederationToken", "sts:TagSession", "iot:*", "iam:*", "kinesisvideo:ListStreams"))
		alice := g.caller(creds)
		must(iamDo(g, root, "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "alice", Tags: []iam.Tag{{Key: "Department", Value: "Marketing"}, {Key: "own", Value: "x"}}}))(t)
		out := must(g.federate(alice, &sts.GetFederationTokenRequest{
			Name: "Bob", Policy: new(allows("iot:ListThings", "sts:*", "iam:*")), PolicyArns: []sts.PolicyDescriptorType{{Arn: new(g.managed("kvs", allow("kinesisvideo:*")))}},
			Tags: []sts.Tag{{Key: "department", Value: "engineering"}},
		}))(t)
		if out.FederatedUser.Arn != "arn:aws:sts::123456789012:federated-user/Bob" || out.FederatedUser.FederatedUserId != "123456789012:Bob" ||
			!strings.HasPrefix(out.Credentials.AccessKeyId, "ASIA") || !out.Credentials.Expiration.Equal(g.Now().Add(12*time.Hour)) ||
			out.PackedPolicySize == nil || *out.PackedPolicySize < 1 || *out.PackedPolicySize > 100 {
			t.Errorf("federated %+v %+v", out, out.FederatedUser)
		}
		bob := g.caller(sessionCreds(out.Credentials))
		me := must(do(g, bob, sts.Service, "GetCallerIdentity", g.GetCallerIdentity, &sts.GetCallerIdentityRequest{}))(t)
		if bob.Type != awsapi.FederatedUser || bob.UserName != "" || *me.Arn != out.FederatedUser.Arn || *me.UserId != "123456789012:Bob" || *me.Account != testAccount {
			t.Errorf("I am %+v", bob)
		}
		keys := bob.Identity.(*credential).input.Keys
		for name, want := range map[string]string{
			"aws:PrincipalType": "FederatedUser", "aws:userid": "123456789012:Bob", "aws:PrincipalArn": out.FederatedUser.Arn, "aws:username": "",
			"aws:PrincipalTag/Department": "engineering", "aws:PrincipalTag/own": "x", "aws:TokenIssueTime": "2026-01-15T12:00:00Z",
		} {
			if k, ok := keys.Lookup(name); ok != (want != "") || ok && k.Values()[0] != want {
				t.Errorf("%s is %v", name, k)
			}
		}
		wantCode(t, g.may(bob, "iot:ListThings", "*"), "", "")
		wantCode(t, g.may(bob, "kinesisvideo:ListStreams", "*"), "", "")
		wantCode(t, g.may(bob, "kinesisvideo:ListSignalingChannels", "*"), "AccessDenied", "because no identity-based policy allows")
		wantCode(t, g.may(bob, "iot:ListThingTypes", "*"), "AccessDenied",
			"User: arn:aws:sts::123456789012:federated-user/Bob is not authorized to perform: iot:ListThingTypes on resource: * because no session policy allows the iot:ListThingTypes action")

		// A resource's policy that names the session grants by itself.
		in := bob.Identity.(*credential).input
		in.Resource = must(policy.Parse(policy.Resource, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+bob.ARN+`"},"Action":"*","Resource":"*"}]}`))(t)
		if d := in.Decide(&policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}); d.Outcome != policy.Allowed {
			t.Errorf("named by the resource: %+v", d)
		}

		// The session lives by its user: his policies, his boundary, himself.
		must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: "alice", PermissionsBoundary: "arn:aws:iam::aws:policy/AWSDenyAll"}))(t)
		wantCode(t, g.may(bob, "iot:ListThings", "*"), "AccessDenied", "with an explicit deny in a permissions boundary")
		must(iamDo(g, root, "DeleteUserPermissionsBoundary", g.DeleteUserPermissionsBoundary, &iam.DeleteUserPermissionsBoundaryRequest{UserName: "alice"}))(t)
		must(iamDo(g, root, "DeleteUserPolicy", g.DeleteUserPolicy, &iam.DeleteUserPolicyRequest{UserName: "alice", PolicyName: "p"}))(t)
		wantCode(t, g.may(bob, "iot:ListThings", "*"), "AccessDenied", "because no identity-based policy allows")
		must(iamDo(g, root, "DeleteAccessKey", g.DeleteAccessKey, &iam.DeleteAccessKeyRequest{UserName: u.UserName, AccessKeyId: creds.AccessKeyID}))(t)
		g.caller(sessionCreds(out.Credentials)) // a key's end is not that of its sessions
		must(iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "alice"}))(t)
		_, err := g.login(sessionCreds(out.Credentials))
		wantCode(t, err, "InvalidClientTokenId", "")
		wantCode(t, g.may(bob, "iot:ListThings", "*"), "InvalidClientTokenId", "")
		g.user("alice", allow("*")) // another one of the name
		_, err = g.login(sessionCreds(out.Credentials))
		wantCode(t, err, "InvalidClientTokenId", "")
	})
}

func TestGetFederationTokenOfRoot(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		out := must(g.federate(root, &sts.GetFederationTokenRequest{Name: "ops", Policy: new(allow("iot:*")), DurationSeconds: new(int64(129600))}))(t)
		ops := g.caller(sessionCreds(out.Credentials))
		if !out.Credentials.Expiration.Equal(g.Now().Add(time.Hour)) || ops.Type != awsapi.FederatedUser {
			t.Errorf("%+v until %v", ops, out.Credentials.Expiration)
		}
		wantCode(t, g.may(ops, "iot:ListThings", "*"), "", "")
		wantCode(t, g.may(ops, "kinesisvideo:ListStreams", "*"), "AccessDenied", "because no session policy allows")
		out = must(g.federate(root, &sts.GetFederationTokenRequest{Name: "none"}))(t)
		if out.PackedPolicySize != nil {
			t.Errorf("packed %d of nothing", *out.PackedPolicySize)
		}
		wantCode(t, g.may(g.caller(sessionCreds(out.Credentials)), "iot:ListThings", "*"), "AccessDenied", "because no session policy allows")
	})
}

func TestGetFederationTokenRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("sts:GetFederationToken"))
		_, poor := g.user("bob", "")
		_, named := g.user("carol", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:GetFederationToken","sts:TagSession"],"Resource":"arn:aws:sts::123456789012:federated-user/team-*"}]}`)
		alice, carol := g.caller(creds), g.caller(named)
		r := g.role("r", trust(trustAccount), allow("*"))
		session := g.assume(alice, r.Arn, "s1", allow("sts:*"))
		token := g.caller(sessionCreds(must(do(g, alice, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{}))(t).Credentials))
		must(iamDo(g, g.caller(g.root), "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "assume", PolicyDocument: allow("sts:GetFederationToken")}))(t)
		var eleven []sts.PolicyDescriptorType
		for range 11 {
			eleven = append(eleven, sts.PolicyDescriptorType{Arn: new("arn:aws:iam::aws:policy/AWSDenyAll")})
		}
		for _, tt := range []struct {
			name       string
			caller     *awsapi.Caller
			in         sts.GetFederationTokenRequest
			code, text string
		}{
			{"fine", alice, sts.GetFederationTokenRequest{}, "", ""},
			{"no permission", g.caller(poor), sts.GetFederationTokenRequest{}, "AccessDenied",
				"User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::123456789012:federated-user/app because no identity-based policy allows the sts:GetFederationToken action"},
			{"another name", carol, sts.GetFederationTokenRequest{}, "AccessDenied", "federated-user/app"},
			{"its name", carol, sts.GetFederationTokenRequest{Name: "team-1", Tags: []sts.Tag{{Key: "Team", Value: "1"}}}, "", ""},
			{"tags without permission", alice, sts.GetFederationTokenRequest{Tags: []sts.Tag{{Key: "a", Value: "b"}}}, "AccessDenied", "sts:TagSession"},
			{"role session", session, sts.GetFederationTokenRequest{}, "AccessDenied", "Cannot call GetFederationToken with session credentials"},
			{"user session", token, sts.GetFederationTokenRequest{}, "AccessDenied", "Cannot call GetFederationToken with session credentials"},
			{"same tags", carol, sts.GetFederationTokenRequest{Name: "team-1", Tags: []sts.Tag{{Key: "Team"}, {Key: "team"}}}, "", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
			{"bad policy", alice, sts.GetFederationTokenRequest{Policy: new("{}")}, "MalformedPolicyDocument", ""},
			{"no such policy", alice, sts.GetFederationTokenRequest{PolicyArns: []sts.PolicyDescriptorType{{Arn: new("arn:aws:iam::123456789012:policy/none")}}}, "MalformedPolicyDocument", "does not exist"},
			{"eleven policies", alice, sts.GetFederationTokenRequest{PolicyArns: eleven}, "ValidationError", "Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10"},
			{"large policy", alice, sts.GetFederationTokenRequest{Policy: new(allow("iot:" + strings.Repeat("x", 2000))), PolicyArns: eleven[:1]}, "PackedPolicyTooLarge", "% of allotted space."},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if tt.in.Name == "" {
					tt.in.Name = "app"
				}
				_, err := g.federate(tt.caller, &tt.in)
				if tt.code == "" && tt.text != "" {
					if err == nil || !strings.Contains(err.Error(), tt.text) {
						t.Errorf("got %v, want %s", err, tt.text)
					}
					return
				}
				wantCode(t, err, tt.code, tt.text)
			})
		}
	})
}

// The table of the IAM User Guide, "Compare AWS STS credentials".
func TestCompareCredentials(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	_, creds := g.user("alice", allow("*"))
	alice, root := g.caller(creds), g.caller(g.root)
	r := g.role("r", trust(trustAccount), allow("*"))
	fed := func(c *awsapi.Caller) *awsapi.Caller {
		return g.caller(sessionCreds(must(g.federate(c, &sts.GetFederationTokenRequest{Name: "fed", Policy: new(allow("*"))}))(t).Credentials))
	}
	token := func(c *awsapi.Caller) *awsapi.Caller {
		return g.caller(sessionCreds(must(do(g, c, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{}))(t).Credentials))
	}
	console := func(cl claims) *awsapi.Caller {
		cl.Account, cl.ID, cl.Console = testAccount, alice.UserID, true
		c, _, err := g.issueWire(&cl, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return g.caller(sessionCreds(c))
	}
	const all = "iam:ListUsers sts:AssumeRole sts:GetSessionToken sts:GetFederationToken sts:GetAccessKeyInfo sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals thingd:CreateAccount thingd:PutOpenIDConnectProviderKeys"
	for _, tt := range []struct {
		name   string
		caller *awsapi.Caller
		may    string
	}{
		{"user", alice, all},
		{"root", root, strings.Replace(all, "sts:AssumeRole ", "", 1)},
		{"GetSessionToken", token(alice), "sts:AssumeRole sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals"},
		{"GetSessionToken of root", token(root), "sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals"},
		{"GetFederationToken", fed(alice), "sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals"},
		{"GetFederationToken of root", fed(root), "sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals"},
		{"AssumeRole", g.assume(alice, r.Arn, "s1", allow("*")), "iam:ListUsers sts:AssumeRole sts:GetAccessKeyInfo sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals thingd:CreateAccount thingd:PutOpenIDConnectProviderKeys"},
		{"console", console(claims{}), "iam:ListUsers sts:AssumeRole sts:GetAccessKeyInfo sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals thingd:CreateAccount thingd:PutOpenIDConnectProviderKeys"},
		{"console, federated", console(claims{Federated: "x", Policy: allow("*")}), "iam:ListUsers sts:GetCallerIdentity iot:ListThings iam:PassRole thingd:ListRefusals thingd:CreateAccount thingd:PutOpenIDConnectProviderKeys"},
	} {
		for action := range strings.FieldsSeq(all) {
			var err error
			switch action { // those that decide by themselves
			case "sts:AssumeRole":
				_, err = g.assumeRole(tt.caller, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"})
			case "sts:GetSessionToken":
				_, err = do(g, tt.caller, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{})
			case "sts:GetFederationToken":
				_, err = g.federate(tt.caller, &sts.GetFederationTokenRequest{Name: "fed"})
			default:
				err = g.may(tt.caller, action, "*")
			}
			if want := strings.Contains(" "+tt.may+" ", " "+action+" "); (err == nil) != want {
				t.Errorf("%s, %s: %v", tt.name, action, err)
			}
		}
	}
}
