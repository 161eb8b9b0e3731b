package identity

import (
	"encoding/json"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/explain"
)

// refuse authorizes what is refused, as a request with an id.
func (g *rig) refuse(c *awsapi.Caller, id, action, resource string) *awsapi.Request {
	g.t.Helper()
	req := &awsapi.Request{ID: id, Caller: c, Region: "us-east-1", SourceIP: "192.0.2.1", Time: g.Now()}
	if err := g.Authorize(g.t.Context(), req, []awsapi.Check{{Action: action, Resource: resource}}); err == nil {
		g.t.Errorf("%s may %s", c.ARN, action)
	}
	return req
}

func (g *rig) decode(c *awsapi.Caller, message string) (*explain.Message, error) {
	g.t.Helper()
	out, err := do(g, c, sts.Service, "DecodeAuthorizationMessage", g.DecodeAuthorizationMessage, &sts.DecodeAuthorizationMessageRequest{EncodedMessage: message})
	if err != nil {
		return nil, err
	}
	r := &explain.Message{}
	return r, json.Unmarshal([]byte(*out.DecodedMessage), r)
}

func TestDecodeAuthorizationMessage(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		u, creds := g.user("alice", allow("sts:DecodeAuthorizationMessage"))
		_, poor := g.user("bob", "")
		alice, bob := g.caller(creds), g.caller(poor)
		if req := g.refuse(bob, "r1", "iot:DeleteThing", "arn:aws:iot:us-east-1:123456789012:thing/t"); !req.Explained {
			t.Error("the answer would not carry the id")
		}
		got, err := g.decode(alice, "r1")
		if err != nil {
			t.Fatal(err)
		}
		if got.Allowed || got.ExplicitDeny || got.Context.Principal.ARN != bob.ARN || got.Context.Action != "iot:DeleteThing" ||
			got.Context.Resource != "arn:aws:iot:us-east-1:123456789012:thing/t" || got.Explanation.Outcome != "implicitDeny" || got.Explanation.Suggestion == "" {
			t.Errorf("decoded %+v", got)
		}
		values := map[string]string{}
		for _, c := range got.Context.Conditions.Items {
			values[c.Key] = c.Values.Items[0].Value
		}
		if values["aws:username"] != "bob" || values["aws:SourceIp"] != "192.0.2.1" || values["aws:PrincipalType"] != "User" {
			t.Errorf("conditions %v", values)
		}
		g.refuse(alice, "r2", "iot:DeleteThing", "*")
		if got, err = g.decode(alice, "r2"); err != nil || len(got.Explanation.Statements) != 1 || got.Explanation.Statements[0].Mismatch != "Action" || got.Context.Principal.ID != u.UserId {
			t.Errorf("decoded %+v, %v", got, err)
		}
		_, err = g.decode(alice, "r3")
		wantCode(t, err, "InvalidAuthorizationMessageException", "Message is not valid")
		_, err = g.decode(bob, "r1")
		wantCode(t, err, "AccessDenied", "sts:DecodeAuthorizationMessage")

		// Another account's refusals are none of ours.
		other := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		stranger := g.caller(rootCreds(other))
		_, err = g.decode(stranger, "r1")
		wantCode(t, err, "InvalidAuthorizationMessageException", "")
		g.Refusals = nil
		_, err = g.decode(alice, "r1")
		wantCode(t, err, "InvalidAuthorizationMessageException", "")
	})
}

// What a refused caller can ask about tells nothing of another account's
// roles: neither what their trust policies say nor whether they exist.
func TestRefusalsKeepOtherAccountsSecrets(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		g.role("exists", `{"Version":"2012-10-17","Statement":[{"Sid":"secret","Effect":"Allow","Principal":`+trustAccount+`,"Action":"sts:AssumeRole"}]}`, "")
		stranger := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		eve := g.foreigner(stranger, "eve", allow("sts:*"))
		_, creds := g.user("alice", allow("sts:DecodeAuthorizationMessage"))
		ask := func(c *awsapi.Caller, name string) *explain.Message {
			req := &awsapi.Request{ID: c.UserID + name, Caller: c, Service: sts.Service, Time: g.Now()}
			_, err := g.AssumeRole(awsapi.WithRequest(t.Context(), req), &sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::123456789012:role/" + name, RoleSessionName: "s1"})
			wantCode(t, err, "AccessDenied", "sts:AssumeRole")
			if !req.Explained {
				t.Errorf("no id for %s", name)
			}
			return must(g.decode(c, req.ID))(t)
		}
		one, two := ask(eve, "exists"), ask(eve, "absent")
		two.Context.Resource, two.Explanation.Resource, two.Explanation.RequestID = one.Context.Resource, one.Explanation.Resource, one.Explanation.RequestID
		two.Explanation.Suggestion = one.Explanation.Suggestion
		a, b := must(json.Marshal(one))(t), must(json.Marshal(two))(t)
		if string(a) != string(b) || len(one.Explanation.Statements) != 1 || one.Explanation.PolicyType != "role trust policy" {
			t.Errorf("they differ:\n%s\n%s", a, b)
		}
		// In its own account all is told.
		if r := ask(g.caller(creds), "exists"); len(r.Explanation.Statements) != 2 || r.Explanation.Statements[1].Sid != "secret" {
			t.Errorf("told %+v", r.Explanation)
		}
		ask(g.caller(creds), "absent")
	})
}

// Nor do the tags of another account's role show by which of one's own
// statements met them.
func TestRefusalsKeepOtherAccountsTags(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		g.role("tagged", trust(`{"Service":"iot.amazonaws.com"}`), "")
		must(iamDo(g, g.caller(g.root), "TagRole", g.TagRole, &iam.TagRoleRequest{RoleName: "tagged", Tags: []iam.Tag{{Key: "tier", Value: "gold"}}}))(t)
		stranger := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		eve := g.foreigner(stranger, "eve", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"},
			{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/tier":"g*"}}},
			{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*","Condition":{"Null":{"iam:ResourceTag/tier":"false"}}}]}`)
		ask := func(name string) *explain.Message {
			req := &awsapi.Request{ID: name, Caller: eve, Service: sts.Service, Time: g.Now()}
			_, err := g.AssumeRole(awsapi.WithRequest(t.Context(), req), &sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::123456789012:role/" + name, RoleSessionName: "s1"})
			wantCode(t, err, "AccessDenied", "sts:AssumeRole")
			return must(g.decode(eve, req.ID))(t)
		}
		one, two := ask("tagged"), ask("absent")
		if one.ExplicitDeny != two.ExplicitDeny || len(one.MatchedStatements.Items) != len(two.MatchedStatements.Items) {
			t.Errorf("of a role with the tag: %+v, of none: %+v", one.Explanation, two.Explanation)
		}
	})
}
