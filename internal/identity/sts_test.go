package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

func (g *rig) assumeRole(c *awsapi.Caller, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	return do(g, c, sts.Service, "AssumeRole", g.AssumeRole, in)
}

// assume makes a session for a user, to whom it gives a policy first.
func (g *rig) assume(c *awsapi.Caller, roleARN, session, document string) *awsapi.Caller {
	g.t.Helper()
	must(iamDo(g, g.caller(g.root), "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: c.UserName, PolicyName: "assume", PolicyDocument: document}))(g.t)
	out := must(g.assumeRole(c, &sts.AssumeRoleRequest{RoleArn: roleARN, RoleSessionName: session}))(g.t)
	return g.caller(sessionCreds(out.Credentials))
}

func sessionCreds(c *sts.Credentials) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

func TestAssumeRole(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("sts:*"))
		alice := g.caller(creds)
		r := g.role("cam", trust(trustAccount), allow("kinesisvideo:*"))
		out := must(g.assumeRole(alice, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"}))(t)
		if out.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/cam/s1" || out.AssumedRoleUser.AssumedRoleId != r.RoleId+":s1" ||
			!strings.HasPrefix(out.Credentials.AccessKeyId, "ASIA") || len(out.Credentials.SecretAccessKey) != 40 ||
			!out.Credentials.Expiration.Equal(g.Now().Add(time.Hour)) || out.PackedPolicySize != nil {
			t.Errorf("assumed %+v", out)
		}
		session := g.caller(sessionCreds(out.Credentials))
		me := must(do(g, session, sts.Service, "GetCallerIdentity", g.GetCallerIdentity, &sts.GetCallerIdentityRequest{}))(t)
		if *me.Arn != "arn:aws:sts::123456789012:assumed-role/cam/s1" || *me.UserId != r.RoleId+":s1" || *me.Account != testAccount {
			t.Errorf("I am %+v", me)
		}
		wantCode(t, g.may(session, "kinesisvideo:PutMedia", "arn:aws:kinesisvideo:us-east-1:123456789012:stream/s/1"), "", "")
		wantCode(t, g.may(session, "iot:ListThings", "*"), "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/cam/s1 is not authorized to perform: iot:ListThings on resource: * because no identity-based policy allows the iot:ListThings action")
		info := must(do(g, alice, sts.Service, "GetAccessKeyInfo", g.GetAccessKeyInfo, &sts.GetAccessKeyInfoRequest{AccessKeyId: out.Credentials.AccessKeyId}))(t)
		if *info.Account != testAccount {
			t.Errorf("key of account %s", *info.Account)
		}
	})
}

func TestAssumeRoleRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("sts:AssumeRole"))
		alice := g.caller(creds)
		_, poor := g.user("bob", "")
		bob := g.caller(poor)
		r := g.role("cam", trust(trustAccount), allow("*"))
		direct := g.role("direct", trust(`{"AWS":"arn:aws:iam::123456789012:user/bob"}`), allow("*"))
		external := g.role("external", strings.Replace(trust(trustAccount), `"Action"`, `"Condition":{"StringEquals":{"sts:ExternalId":"secret"}},"Action"`, 1), "")
		notags := g.role("notags", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":`+trustAccount+`,"Action":"sts:AssumeRole"}]}`, "")
		for _, tt := range []struct {
			name       string
			caller     *awsapi.Caller
			in         sts.AssumeRoleRequest
			code, text string
		}{
			{"fine", alice, sts.AssumeRoleRequest{RoleArn: r.Arn}, "", ""},
			{"unknown role", alice, sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::123456789012:role/none"}, "AccessDenied",
				"User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/none"},
			{"other case", alice, sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::123456789012:role/CAM"}, "AccessDenied", "sts:AssumeRole"},
			{"other account", alice, sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::999999999999:role/cam"}, "AccessDenied", "sts:AssumeRole"},
			{"not an ARN", alice, sts.AssumeRoleRequest{RoleArn: "role/cam-and-some-more"}, "ValidationError", "role/cam-and-some-more is invalid"},
			{"a user's ARN", alice, sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::123456789012:user/alice"}, "ValidationError", "is invalid"},
			{"no identity policy", bob, sts.AssumeRoleRequest{RoleArn: r.Arn}, "AccessDenied", "sts:AssumeRole"},
			{"named in the trust", bob, sts.AssumeRoleRequest{RoleArn: direct.Arn}, "", ""},
			{"not named in the trust", alice, sts.AssumeRoleRequest{RoleArn: direct.Arn}, "AccessDenied", "sts:AssumeRole"},
			{"no external id", alice, sts.AssumeRoleRequest{RoleArn: external.Arn}, "AccessDenied", "sts:AssumeRole"},
			{"external id", alice, sts.AssumeRoleRequest{RoleArn: external.Arn, ExternalId: new("secret")}, "", ""},
			{"wrong external id", alice, sts.AssumeRoleRequest{RoleArn: external.Arn, ExternalId: new("Secret")}, "AccessDenied", "sts:AssumeRole"},
			{"too long", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, DurationSeconds: new(int64(3601))}, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
			{"tags without permission", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, Tags: []sts.Tag{{Key: "a", Value: "b"}}}, "AccessDenied", "sts:TagSession"},
			{"tags without trust", alice, sts.AssumeRoleRequest{RoleArn: notags.Arn, Tags: []sts.Tag{{Key: "a", Value: "b"}}}, "AccessDenied", "sts:TagSession"},
			{"tags", bob, sts.AssumeRoleRequest{RoleArn: direct.Arn, Tags: []sts.Tag{{Key: "a", Value: "b"}}}, "", ""},
			{"same tags", bob, sts.AssumeRoleRequest{RoleArn: direct.Arn, Tags: []sts.Tag{{Key: "a"}, {Key: "A"}}}, "InvalidParameterValue", "Duplicate tag keys"},
			{"transitive tag not given", bob, sts.AssumeRoleRequest{RoleArn: direct.Arn, TransitiveTagKeys: []string{"a"}}, "InvalidParameterValue", "must be included in the requested tags"},
			{"source identity", bob, sts.AssumeRoleRequest{RoleArn: direct.Arn, SourceIdentity: new("bob")}, "", ""},
			{"source identity without permission", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, SourceIdentity: new("bob")}, "AccessDenied", "sts:SetSourceIdentity"},
			{"bad session policy", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, Policy: new("{}")}, "MalformedPolicyDocument", ""},
			{"no such policy", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, PolicyArns: []sts.PolicyDescriptorType{{Arn: new("arn:aws:iam::123456789012:policy/none")}}}, "MalformedPolicyDocument", "does not exist"},
			{"large session policy", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, Policy: new(allow("iot:" + strings.Repeat("x", 2048)))}, "PackedPolicyTooLarge", "Packed size of session tags & policies consumes"},
			{"MFA", alice, sts.AssumeRoleRequest{RoleArn: r.Arn, SerialNumber: new("arn:aws:iam::123456789012:mfa/x"), TokenCode: new("123456")}, "AccessDenied", "unable to validate MFA code.  Please verify your MFA serial number is valid"},
			{"root", g.caller(g.root), sts.AssumeRoleRequest{RoleArn: r.Arn}, "", "Roles may not be assumed by root accounts."},
		} {
			t.Run(tt.name, func(t *testing.T) {
				tt.in.RoleSessionName = "s1"
				_, err := g.assumeRole(tt.caller, &tt.in)
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

func TestChaining(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("sts:*"))
		one := g.role("one", trust(trustAccount), allow("sts:*"))
		two := g.role("two", trust(`{"AWS":"`+one.Arn+`"}`), allow("iot:*"))
		root := g.caller(g.root)
		must(iamDo(g, root, "UpdateRole", g.UpdateRole, &iam.UpdateRoleRequest{RoleName: "two", MaxSessionDuration: new(int64(43200))}))(t)
		out := must(g.assumeRole(g.caller(creds), &sts.AssumeRoleRequest{
			RoleArn: one.Arn, RoleSessionName: "s1", SourceIdentity: new("alice"),
			Tags: []sts.Tag{{Key: "Team", Value: "cam"}, {Key: "x", Value: "y"}}, TransitiveTagKeys: []string{"Team"},
		}))(t)
		session := g.caller(sessionCreds(out.Credentials))
		_, err := g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: two.Arn, RoleSessionName: "s2", DurationSeconds: new(int64(3601))})
		wantCode(t, err, "ValidationError", "exceeds the 1 hour session limit for roles assumed by role chaining")
		_, err = g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: two.Arn, RoleSessionName: "s2", Tags: []sts.Tag{{Key: "TEAM", Value: "other"}}})
		wantCode(t, err, "InvalidParameterValue", "conflicts with a transitive tag key from the calling session")
		_, err = g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: two.Arn, RoleSessionName: "s2", SourceIdentity: new("mallory")})
		wantCode(t, err, "AccessDenied", "sts:SetSourceIdentity")
		out = must(g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: two.Arn, RoleSessionName: "s2"}))(t)
		if *out.SourceIdentity != "alice" {
			t.Errorf("source identity %v", out.SourceIdentity)
		}
		chained := g.caller(sessionCreds(out.Credentials)).Identity.(*credential)
		if k, ok := chained.input.Keys.Lookup("aws:PrincipalTag/team"); !ok || k.Values()[0] != "cam" {
			t.Error("the transitive tag is lost")
		}
		if _, ok := chained.input.Keys.Lookup("aws:PrincipalTag/x"); ok {
			t.Error("a tag went on that is not transitive")
		}
	})
}

func TestSessionPolicies(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("sts:*"))
		alice, root := g.caller(creds), g.caller(g.root)
		r := g.role("r", trust(trustAccount), allow("*"))
		p := must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("kinesisvideo:*")}))(t)
		out := must(g.assumeRole(alice, &sts.AssumeRoleRequest{
			RoleArn: r.Arn, RoleSessionName: "s1", Policy: new(allow("iot:ListThings")), PolicyArns: []sts.PolicyDescriptorType{{Arn: p.Policy.Arn}},
		}))(t)
		if out.PackedPolicySize == nil || *out.PackedPolicySize < 1 || *out.PackedPolicySize > 100 {
			t.Errorf("packed %v", out.PackedPolicySize)
		}
		s := g.caller(sessionCreds(out.Credentials))
		wantCode(t, g.may(s, "iot:ListThings", "*"), "", "")
		wantCode(t, g.may(s, "kinesisvideo:ListStreams", "*"), "", "")
		wantCode(t, g.may(s, "iot:ListThingTypes", "*"), "AccessDenied", "because no session policy allows the iot:ListThingTypes action")
		// What the managed policy says now counts, also for sessions that exist.
		must(iamDo(g, root, "CreatePolicyVersion", g.CreatePolicyVersion, &iam.CreatePolicyVersionRequest{PolicyArn: *p.Policy.Arn, PolicyDocument: deny("kinesisvideo:*"), SetAsDefault: new(true)}))(t)
		wantCode(t, g.may(s, "kinesisvideo:ListStreams", "*"), "AccessDenied", "with an explicit deny in a session policy")
		must(iamDo(g, root, "DeletePolicyVersion", g.DeletePolicyVersion, &iam.DeletePolicyVersionRequest{PolicyArn: *p.Policy.Arn, VersionId: "v1"}))(t)
		must(iamDo(g, root, "DeletePolicy", g.DeletePolicy, &iam.DeletePolicyRequest{PolicyArn: *p.Policy.Arn}))(t)
		wantCode(t, g.may(g.caller(sessionCreds(out.Credentials)), "kinesisvideo:ListStreams", "*"), "AccessDenied", "because no session policy allows")

		tags := make([]sts.Tag, 50)
		for i := range tags {
			tags[i] = sts.Tag{Key: newSecret(), Value: newSecret() + newSecret()}
		}
		_, err := g.assumeRole(alice, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", Tags: tags})
		wantCode(t, err, "PackedPolicyTooLarge", "% of allotted space")
	})
}

func TestGetSessionToken(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("*"))
		get := func(c *awsapi.Caller, in *sts.GetSessionTokenRequest) (*sts.GetSessionTokenResponse, error) {
			return do(g, c, sts.Service, "GetSessionToken", g.GetSessionToken, in)
		}
		out := must(get(g.caller(creds), &sts.GetSessionTokenRequest{DurationSeconds: new(int64(900))}))(t)
		s := g.caller(sessionCreds(out.Credentials))
		if s.ARN != "arn:aws:iam::123456789012:user/alice" || s.Type != awsapi.User || !out.Credentials.Expiration.Equal(g.Now().Add(900*time.Second)) {
			t.Errorf("session %+v", s)
		}
		wantCode(t, g.may(s, "iot:ListThings", "*"), "", "")
		wantCode(t, g.may(s, "iam:ListUsers", "*"), "InvalidClientTokenId", "")
		wantCode(t, g.may(s, "sts:GetAccessKeyInfo", "*"), "AccessDenied", "Cannot call GetAccessKeyInfo with session credentials")
		_, err := get(s, &sts.GetSessionTokenRequest{})
		wantCode(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
		root := must(get(g.caller(g.root), &sts.GetSessionTokenRequest{}))(t)
		if !root.Credentials.Expiration.Equal(g.Now().Add(time.Hour)) {
			t.Errorf("root's session until %v", root.Credentials.Expiration)
		}
		if c := g.caller(sessionCreds(root.Credentials)); c.Type != awsapi.Root {
			t.Errorf("root's session is %+v", c)
		}
	})
}

func TestAssumeRoleForService(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		alias := "arn:aws:iot:us-east-1:123456789012:rolealias/cam"
		doc := strings.Replace(trust(`{"Service":"credentials.iot.amazonaws.com"}`), `"Action"`,
			`"Condition":{"ArnEquals":{"aws:SourceArn":"`+alias+`"},"StringEquals":{"aws:SourceAccount":"123456789012"}},"Action"`, 1)
		r := g.role("cam", doc, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kinesisvideo:PutMedia","Resource":"arn:aws:kinesisvideo:*:*:stream/${credentials-iot:ThingName}/*"}]}`)
		other := g.role("other", trust(trustAccount), "")
		id := strings.Repeat("0f", 32)
		in := ServiceRole{
			Account: testAccount, RoleARN: r.Arn, Service: "credentials.iot.amazonaws.com", SessionName: id, Duration: time.Hour,
			Keys: map[string]string{"credentials-iot:ThingName": "cam1", "credentials-iot:AwsCertificateId": id}, SourceARN: alias,
		}
		creds, err := g.AssumeRoleForService(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(creds.SessionToken) > 2047 || !creds.Expiration.Equal(g.Now().Add(time.Hour)) {
			t.Errorf("token of %d characters until %v", len(creds.SessionToken), creds.Expiration)
		}
		c := g.caller(sigv4.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken})
		if c.ARN != "arn:aws:sts::123456789012:assumed-role/cam/"+id {
			t.Errorf("caller %+v", c)
		}
		wantCode(t, g.may(c, "kinesisvideo:PutMedia", "arn:aws:kinesisvideo:us-east-1:123456789012:stream/cam1/1"), "", "")
		wantCode(t, g.may(c, "kinesisvideo:PutMedia", "arn:aws:kinesisvideo:us-east-1:123456789012:stream/cam2/1"), "AccessDenied", "stream/cam2/1")
		for _, tt := range []struct {
			name   string
			change func(*ServiceRole)
			want   error
		}{
			{"unknown", func(r *ServiceRole) { r.RoleARN = "arn:aws:iam::123456789012:role/none" }, ErrCannotAssume},
			{"no trust", func(r *ServiceRole) { r.RoleARN = other.Arn }, ErrCannotAssume},
			{"another account", func(r *ServiceRole) { r.Account = "999999999999" }, ErrCannotAssume},
			{"another service", func(r *ServiceRole) { r.Service = "iot.amazonaws.com" }, ErrCannotAssume},
			{"another alias", func(r *ServiceRole) { r.SourceARN += "2" }, ErrCannotAssume},
			{"too long", func(r *ServiceRole) { r.Duration = time.Hour + time.Second }, ErrDurationExceeds},
			{"no ARN", func(r *ServiceRole) { r.RoleARN = "x" }, ErrCannotAssume},
		} {
			bad := in
			tt.change(&bad)
			if _, err := g.AssumeRoleForService(t.Context(), bad); err != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		// A trust policy may speak of the role's own tags.
		tagged := g.role("tagged", `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"},
			{"Effect":"Deny","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:ResourceTag/retired":"yes"}}}]}`, "")
		retired := in
		retired.RoleARN = tagged.Arn
		if _, err := g.AssumeRoleForService(t.Context(), retired); err != nil {
			t.Errorf("untagged: %v", err)
		}
		must(iamDo(g, root, "TagRole", g.TagRole, &iam.TagRoleRequest{RoleName: "tagged", Tags: []iam.Tag{{Key: "retired", Value: "yes"}}}))(t)
		if _, err := g.AssumeRoleForService(t.Context(), retired); err != ErrCannotAssume {
			t.Errorf("denied by its tag: %v", err)
		}
		// A change of the role counts for the next request.
		must(iamDo(g, root, "UpdateRole", g.UpdateRole, &iam.UpdateRoleRequest{RoleName: "cam", MaxSessionDuration: new(int64(43200))}))(t)
		in.Duration = 12 * time.Hour
		if _, err := g.AssumeRoleForService(t.Context(), in); err != nil {
			t.Errorf("after the role changed: %v", err)
		}
	})
}
