package identity

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/seal"
)

func (g *rig) sessionToken(c *awsapi.Caller) *awsapi.Caller {
	g.t.Helper()
	out := must(do(g, c, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{}))(g.t)
	return g.caller(sessionCreds(out.Credentials))
}

// A session policy by ARN is that policy, not another one that takes its name.
func TestSessionPolicyKeepsItsIdentity(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, creds := g.user("alice", allow("*"))
		r := g.role("r", trust(trustAccount), allow("*"))
		arn := g.managed("p", allow("iot:*"))
		arns := []sts.PolicyDescriptorType{{Arn: &arn}, {Arn: new("arn:aws:iam::aws:policy/AmazonKinesisVideoStreamsFullAccess")}}
		role := must(g.assumeRole(g.caller(creds), &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", PolicyArns: arns}))(t)
		fed := must(g.federate(g.caller(creds), &sts.GetFederationTokenRequest{Name: "fed", PolicyArns: arns}))(t)
		check := func(code string) {
			t.Helper()
			for _, c := range []*sts.Credentials{role.Credentials, fed.Credentials} {
				s := g.caller(sessionCreds(c))
				wantCode(t, g.may(s, "iot:ListThings", "*"), code, "")
				wantCode(t, g.may(s, "kinesisvideo:ListStreams", "*"), "", "")
				wantCode(t, g.may(s, "s3:ListAllMyBuckets", "*"), "AccessDenied", "because no session policy allows")
			}
		}
		check("")
		must(iamDo(g, root, "DeletePolicy", g.DeletePolicy, &iam.DeletePolicyRequest{PolicyArn: arn}))(t)
		check("AccessDenied")
		if g.managed("p", allow("*")) != arn {
			t.Error("the name makes another ARN")
		}
		check("AccessDenied")
	})
}

func TestSessionDurations(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	root := g.caller(g.root)
	_, creds := g.user("alice", allow("*"))
	alice := g.caller(creds)
	r := g.role("r", trust(trustAccount), allow("*"))
	must(iamDo(g, root, "UpdateRole", g.UpdateRole, &iam.UpdateRoleRequest{RoleName: "r", MaxSessionDuration: new(int64(7200))}))(t)
	token := g.sessionToken(alice)
	session := g.assume(alice, r.Arn, "s1", allow("*"))
	assume := func(c *awsapi.Caller) func(*int64) (*sts.Credentials, error) {
		return func(seconds *int64) (*sts.Credentials, error) {
			out, err := g.assumeRole(c, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s2", DurationSeconds: seconds})
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		}
	}
	get := func(c *awsapi.Caller) func(*int64) (*sts.Credentials, error) {
		return func(seconds *int64) (*sts.Credentials, error) {
			out, err := do(g, c, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{DurationSeconds: seconds})
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		}
	}
	federate := func(c *awsapi.Caller) func(*int64) (*sts.Credentials, error) {
		return func(seconds *int64) (*sts.Credentials, error) {
			out, err := g.federate(c, &sts.GetFederationTokenRequest{Name: "fed", DurationSeconds: seconds})
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		}
	}
	const exceeds = "The requested DurationSeconds exceeds the "
	for _, tt := range []struct {
		name    string
		make    func(*int64) (*sts.Credentials, error)
		seconds int64 // 0: none given
		want    int64
		err     string
	}{
		{"role", assume(alice), 0, 3600, ""},
		{"role, most", assume(alice), 7200, 7200, ""},
		{"role, more", assume(alice), 7201, 0, exceeds + "MaxSessionDuration set for this role."},
		{"role by a user's session", assume(token), 7200, 7200, ""},
		{"chained", assume(session), 0, 3600, ""},
		{"chained, most", assume(session), 3600, 3600, ""},
		{"chained, more", assume(session), 3601, 0, exceeds + "1 hour session limit for roles assumed by role chaining."},
		{"user", get(alice), 0, 43200, ""},
		{"user, most", get(alice), 129600, 129600, ""},
		{"root", get(root), 0, 3600, ""},
		{"root, less", get(root), 900, 900, ""},
		{"root, more", get(root), 129600, 3600, ""},
		{"federated", federate(alice), 0, 43200, ""},
		{"federated, most", federate(alice), 129600, 129600, ""},
		{"federated by root", federate(root), 0, 3600, ""},
		{"federated by root, more", federate(root), 7200, 3600, ""},
	} {
		var seconds *int64
		if tt.seconds != 0 {
			seconds = &tt.seconds
		}
		c, err := tt.make(seconds)
		if tt.err != "" {
			wantCode(t, err, "ValidationError", tt.err)
		} else if err != nil || !c.Expiration.Equal(g.Now().Add(time.Duration(tt.want)*time.Second)) {
			t.Errorf("%s: %v, until %v", tt.name, err, c)
		}
	}
}

// Sessions know whether temporary credentials made them.
func TestChained(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	_, creds := g.user("alice", allow("*"))
	alice := g.caller(creds)
	r := g.role("r", trust(trustAccount), allow("*"))
	for name, tt := range map[string]struct {
		caller *awsapi.Caller
		want   bool
	}{
		"key": {alice, false}, "GetSessionToken": {g.sessionToken(alice), true}, "role": {g.assume(alice, r.Arn, "s1", allow("*")), true},
	} {
		out := must(g.assumeRole(tt.caller, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s2"}))(t)
		if cl := g.caller(sessionCreds(out.Credentials)).Identity.(*credential).session.claims; cl.Chained != tt.want {
			t.Errorf("%s: chained %v", name, cl.Chained)
		}
	}
	if g.sessionToken(alice).Identity.(*credential).session.claims.Chained {
		t.Error("GetSessionToken counts as chained")
	}
}

// Tags that are transitive, and the source identity, go through any number of
// roles, each of which has to allow them.
func TestChainOfThree(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("*"))
		one := g.role("one", trust(trustAccount), allow("*"))
		two := g.role("two", trust(`{"AWS":"`+one.Arn+`"}`), allow("*"))
		condition := `{"StringEquals":{"sts:RoleSessionName":"s3","sts:SourceIdentity":"alice","aws:SourceIdentity":"alice","aws:RequestTag/Team":"cam","aws:PrincipalTag/team":"cam"},
			"ForAllValues:StringEquals":{"aws:TagKeys":["Team"],"sts:TransitiveTagKeys":["Team"]},"Null":{"sts:TransitiveTagKeys":"false","aws:TagKeys":"false"}}`
		three := g.role("three", strings.Replace(trust(`{"AWS":"`+two.Arn+`"}`), `"Action"`, `"Condition":`+condition+`,"Action"`, 1), "")
		closed := g.role("closed", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+two.Arn+`"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`, "")
		session := g.caller(creds)
		for i, in := range []*sts.AssumeRoleRequest{
			{RoleArn: one.Arn, RoleSessionName: "s1", SourceIdentity: new("alice"), Tags: []sts.Tag{{Key: "Team", Value: "cam"}}, TransitiveTagKeys: []string{"TEAM"}},
			{RoleArn: two.Arn, RoleSessionName: "s2", Tags: []sts.Tag{{Key: "Local", Value: "x"}}},
		} {
			session = g.caller(sessionCreds(must(g.assumeRole(session, in))(t).Credentials))
			if k, ok := session.Identity.(*credential).input.Keys.Lookup("aws:PrincipalTag/Team"); !ok || k.Values()[0] != "cam" {
				t.Errorf("session %d lost its tag", i+1)
			}
		}
		must(g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: three.Arn, RoleSessionName: "s3"}))(t)
		_, err := g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: three.Arn, RoleSessionName: "s4"})
		wantCode(t, err, "AccessDenied", "sts:AssumeRole")
		_, err = g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: three.Arn, RoleSessionName: "s3", Tags: []sts.Tag{{Key: "More", Value: "x"}}})
		wantCode(t, err, "AccessDenied", "sts:AssumeRole")
		_, err = g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: closed.Arn, RoleSessionName: "s3"})
		wantCode(t, err, "AccessDenied", "sts:SetSourceIdentity")
		_, err = g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: closed.Arn, RoleSessionName: "s3", SourceIdentity: new("bob")})
		wantCode(t, err, "AccessDenied", "sts:SetSourceIdentity")
	})
}

// The table of GetCallerIdentity's answers.
func TestGetCallerIdentity(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	root := g.caller(g.root)
	u := must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "alice", Path: new("/eng/")}))(t).User
	must(iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "p", PolicyDocument: allow("sts:*")}))(t)
	k := must(iamDo(g, root, "CreateAccessKey", g.CreateAccessKey, &iam.CreateAccessKeyRequest{UserName: new("alice")}))(t).AccessKey
	alice := g.caller(rootCreds(&RootCredentials{AccessKeyID: k.AccessKeyId, SecretAccessKey: k.SecretAccessKey}))
	r := must(iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "r", Path: new("/eng/"), AssumeRolePolicyDocument: trust(trustAccount)}))(t).Role
	session := g.assume(alice, r.Arn, "s@1", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"},{"Effect":"Deny","Action":"sts:GetCallerIdentity","Resource":"*"}]}`)
	for _, tt := range []struct {
		caller  *awsapi.Caller
		id, arn string
	}{
		{root, testAccount, "arn:aws:iam::123456789012:root"},
		{g.sessionToken(root), testAccount, "arn:aws:iam::123456789012:root"},
		{alice, u.UserId, "arn:aws:iam::123456789012:user/eng/alice"},
		{g.sessionToken(alice), u.UserId, "arn:aws:iam::123456789012:user/eng/alice"},
		{session, r.RoleId + ":s@1", "arn:aws:sts::123456789012:assumed-role/r/s@1"},
	} {
		me, err := do(g, tt.caller, sts.Service, "GetCallerIdentity", g.GetCallerIdentity, &sts.GetCallerIdentityRequest{})
		if err != nil || *me.UserId != tt.id || *me.Arn != tt.arn || *me.Account != testAccount {
			t.Errorf("%+v, %v, want %s %s", me, err, tt.id, tt.arn)
		}
	}
}

// Who a trust policy names has to exist.
func TestTrustOfWhoExists(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.issuer("", "app")
		must(g.AddAccount(t.Context(), BootstrapOptions{AccountID: "222222222222"}))(t)
		g.role("r", trust(trustAccount), "")
		for principal, text := range map[string]string{
			`{"AWS":"222222222222"}`:                               "",
			`{"AWS":"arn:aws:iam::222222222222:root"}`:             "",
			`{"AWS":"arn:aws:sts::222222222222:assumed-role/r/s"}`: "",
			`{"AWS":"arn:aws:sts::222222222222:federated-user/f"}`: "",
			`{"AWS":"*"}`:                              "",
			`"*"`:                                      "",
			`{"Federated":"accounts.google.com"}`:      "",
			`{"Federated":"` + testProvider + `"}`:     "",
			`{"AWS":"999999999999"}`:                   `"AWS":"999999999999"`,
			`{"AWS":"arn:aws:iam::999999999999:root"}`: `"AWS":"arn:aws:iam::999999999999:root"`,
			`{"AWS":["222222222222","arn:aws:iam::999999999999:root"]}`:      `"AWS":"arn:aws:iam::999999999999:root"`,
			`{"AWS":"arn:aws:sts::999999999999:assumed-role/r/s"}`:           `"AWS":"arn:aws:sts::999999999999:assumed-role/r/s"`,
			`{"AWS":"arn:aws:iam::999999999999:user/u"}`:                     `"AWS":"arn:aws:iam::999999999999:user/u"`,
			`{"Federated":"` + testProvider + `/x"}`:                         `"Federated":"` + testProvider + `/x"`,
			`{"Federated":"arn:aws:iam::123456789012:saml-provider/absent"}`: `"Federated":"arn:aws:iam::123456789012:saml-provider/absent"`,
		} {
			document := strings.Replace(trust(principal), `"sts:AssumeRole"`, `"sts:AssumeRole","sts:AssumeRoleWithWebIdentity"`, 1)
			_, err := iamDo(g, root, "UpdateAssumeRolePolicy", g.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyRequest{RoleName: "r", PolicyDocument: document})
			if text == "" {
				wantCode(t, err, "", "")
				continue
			}
			wantCode(t, err, "MalformedPolicyDocument", "Invalid principal in policy: "+text)
			_, err = iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "new", AssumeRolePolicyDocument: document})
			wantCode(t, err, "MalformedPolicyDocument", "Invalid principal in policy: "+text)
		}
	})
}

// A token of another deployment is none, not even with the same database.
func TestTokensOfAnotherDeployment(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	_, creds := g.user("alice", allow("*"))
	token := must(do(g, g.caller(creds), sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{}))(t)
	c := sessionCreds(token.Credentials)
	g.caller(c)
	box, err := seal.New(bytes.Repeat([]byte("o"), seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	other := &rig{t: t, Service: &Service{DB: g.DB, Seal: box, Log: g.Log, Now: g.Now, Region: g.Region}}
	_, err = other.login(c)
	wantCode(t, err, "InvalidClientTokenId", "The security token included in the request is invalid.")
}
