package identity

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

func TestExplainRefusal(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		root := g.caller(g.root)
		_, key := g.user("alice", `{"Version":"2012-10-17","Statement":[{"Sid":"Own","Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::*:user/${aws:username}"}]}`)
		alice := g.caller(key)
		_, err := iamDo(g, alice, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("bob")})
		wantCode(t, err, "AccessDenied", "iam:GetUser")
		// The policy that refused is explained, not the one that is there now.
		must(iamDo(g, root, "DeleteUserPolicy", g.DeleteUserPolicy, &iam.DeleteUserPolicyRequest{UserName: "alice", PolicyName: "p"}))(t)

		ask := func(id string) (*thingd.ExplainRefusalResponse, error) {
			return do(g, root, thingd.Service, "ExplainRefusal", g.ExplainRefusal, &thingd.ExplainRefusalRequest{RequestId: id})
		}
		r := must(ask(""))(t).Refusal // the rig's requests have no ids
		if r.AccountId != testAccount || r.Principal != alice.ARN || r.PrincipalId != alice.UserID || !r.Time.Equal(g.now()) ||
			r.Action != "iam:GetUser" || r.Resource != "arn:aws:iam::123456789012:user/bob" {
			t.Errorf("asked: %+v", r)
		}
		if r.Outcome != "implicitDeny" || r.PolicyType != "identity-based policy" || r.PolicyId != nil || r.Sid != nil ||
			r.Reason != "because no identity-based policy allows the iam:GetUser action" ||
			*r.Suggestion != `{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::123456789012:user/bob"}` {
			t.Errorf("decided: %+v", r)
		}
		if len(r.Statements) != 1 {
			t.Fatalf("statements: %+v", r.Statements)
		}
		st := r.Statements[0]
		if st.PolicyType != "identity-based policy" || st.PolicyId != "p" || *st.Sid != "Own" || st.Position != 1 || st.Effect != "Allow" ||
			st.Applies || st.Decided || *st.Mismatch != "Resource" || st.Start.Line != 1 || st.Start.Column != 38 || st.End.Column <= st.Start.Column ||
			len(st.Variables) != 1 || st.Variables[0].Name != "aws:username" || !st.Variables[0].Present || st.Variables[0].Values[0] != "alice" {
			t.Errorf("statement: %+v", st)
		}
		seen := map[string]string{}
		for _, k := range r.Keys {
			seen[k.Name] = fmt.Sprint(k.Values)
		}
		if seen["aws:username"] != "[alice]" || seen["aws:ResourceAccount"] != "["+testAccount+"]" || seen["aws:PrincipalAccount"] != "["+testAccount+"]" {
			t.Errorf("keys: %v", seen)
		}
		_, err = ask("0d5f0e8c-7a0a-4f6a-9c51-0d6f3b2a1c4d")
		wantCode(t, err, "ResourceNotFoundException", "No refusal of the request 0d5f0e8c-7a0a-4f6a-9c51-0d6f3b2a1c4d is known in this account.")

		// Not for everybody.
		_, err = do(g, alice, thingd.Service, "ExplainRefusal", g.ExplainRefusal, &thingd.ExplainRefusalRequest{RequestId: ""})
		wantCode(t, err, "AccessDenied", "thingd:ExplainRefusal")
		_, err = do(g, alice, thingd.Service, "ListRefusals", g.ListRefusals, &thingd.ListRefusalsRequest{})
		wantCode(t, err, "AccessDenied", "thingd:ListRefusals")
	})
}

func TestListRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		root := g.caller(g.root)
		list := func(n int64, token *string) *thingd.ListRefusalsResponse {
			return must(do(g, root, thingd.Service, "ListRefusals", g.ListRefusals, &thingd.ListRefusalsRequest{MaxResults: &n, NextToken: token}))(t)
		}
		if out := list(5, nil); out.Refusals == nil || len(out.Refusals) != 0 || out.NextToken != nil {
			t.Errorf("none: %+v", out)
		}
		for i := range 5 {
			account := []string{testAccount, "222222222222"}[i%2]
			g.Refusals.Add(explain.Refusal{ID: fmt.Sprint("id-", i), Account: account, Explain: func() policy.Explanation { return explain.Because("it is a test") }})
		}
		first := list(2, nil)
		if len(first.Refusals) != 2 || first.Refusals[0].RequestId != "id-4" || first.Refusals[1].RequestId != "id-2" || first.NextToken == nil ||
			first.Refusals[0].Reason != "because it is a test" || first.Refusals[0].Outcome != "implicitDeny" {
			t.Fatalf("first page %+v", first)
		}
		g.Refusals.Add(explain.Refusal{ID: "later", Account: testAccount, Explain: func() policy.Explanation { return explain.Because("x") }})
		last := list(2, first.NextToken)
		if len(last.Refusals) != 1 || last.Refusals[0].RequestId != "id-0" || last.NextToken != nil {
			t.Errorf("last page %+v", last)
		}
		for _, token := range []string{"id-1", "1", "-1"} { // none of ours, the first, none
			if out := list(2, &token); len(out.Refusals) != 0 || out.NextToken != nil {
				t.Errorf("%s: %+v", token, out)
			}
		}
	})
}

func TestServiceRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		const service, source = "credentials.iot.amazonaws.com", "arn:aws:iot:us-east-1:123456789012:rolealias/a"
		g.role("cam", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"`+service+`"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"*:rolealias/b"}}}]}`, "")
		for name, reason := range map[string]string{
			"cam":  "because no role trust policy allows the sts:AssumeRole action",
			"none": "because the role does not exist",
		} {
			r := ServiceRole{
				Account: testAccount, RoleARN: "arn:aws:iam::123456789012:role/" + name, Service: service, SessionName: "s",
				Duration: time.Hour, SourceARN: source, RequestID: "request-" + name,
			}
			if _, err := g.AssumeRoleForService(t.Context(), r); !errors.Is(err, ErrCannotAssume) {
				t.Fatalf("%s: %v", name, err)
			}
			kept, ok := g.Refusals.Find(testAccount, "request-"+name)
			if !ok {
				t.Fatalf("%s: nothing kept", name)
			}
			got := kept.Report()
			if got.Reason != reason || got.Principal != service || got.Action != "sts:AssumeRole" || got.Resource != r.RoleARN || got.Outcome != "implicitDeny" {
				t.Errorf("%s: %+v", name, got)
			}
			if name == "cam" && (len(got.Statements) != 1 || got.Statements[0].Mismatch != "ArnLike aws:SourceArn" || got.Statements[0].Variables[0].Values[0] != source) {
				t.Errorf("%+v", got.Statements)
			}
			r.RequestID = "" // of nobody's request
			_, _ = g.AssumeRoleForService(t.Context(), r)
			if n := len(g.Refusals.Latest(testAccount, 10)); name == "cam" && n > 2 {
				t.Errorf("%d kept", n)
			}
		}
		if _, ok := g.Refusals.Find(testAccount, ""); ok {
			t.Error("kept without an id")
		}
	})
}
