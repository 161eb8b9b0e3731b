package explain

import (
	"encoding/json"
	"testing"

	"github.com/thingd/thingd/internal/policy"
)

func TestMessage(t *testing.T) {
	compile := func(text string) *policy.Policy {
		p, err := policy.Compile(policy.Identity, text)
		if err != nil {
			t.Fatal(err)
		}
		return p.Named("p")
	}
	context := `"failures":{"items":[]},"context":{"principal":{"id":"AIDA1","arn":"arn:aws:iam::123456789012:user/a"},"action":"iot:ListThings","resource":"*","conditions":{"items":[` +
		`{"key":"aws:PrincipalTag/team","values":{"items":[{"value":"x"}]}},{"key":"aws:TagKeys","values":{"items":[{"value":"a"},{"value":"b"}]}}]}}`
	for _, tt := range []struct {
		name, document, want string
	}{
		{"implicit", `{"Version":"2012-10-17","Statement":{"Sid":"A","Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"cam"}}}}`,
			`{"allowed":false,"explicitDeny":false,"matchedStatements":{"items":[]},` + context},
		{"explicit", `{"Version":"2012-10-17","Statement":{"Sid":"D","Effect":"Deny","Action":"iot:*","Resource":"*"}}`,
			`{"allowed":false,"explicitDeny":true,"matchedStatements":{"items":[{"statementId":"D","effect":"DENY"}]},` + context},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &policy.Input{Principal: policy.Principal{Type: policy.User, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/a"}, Identity: []*policy.Policy{compile(tt.document)}}
			keys := policy.Keys{policy.Single("aws:PrincipalTag/team", "x"), policy.Single("aws:principaltag/Team", "hidden"), policy.Multi("aws:TagKeys", "a", "b")}
			req := &policy.Request{Action: "iot:ListThings", Resource: "*", Keys: keys}
			r := Refusal{
				ID: "r1", Account: "123456789012", Principal: in.Principal.ARN, UserID: "AIDA1", Action: req.Action, Resource: req.Resource,
				Keys: keys, Explain: func() policy.Explanation { return in.Explain(req) },
			}
			report, err := json.Marshal(r.Report())
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(r.Message())
			if want := tt.want + `,"explanation":` + string(report) + "}"; err != nil || string(got) != want {
				t.Errorf("%v\n got %s\nwant %s", err, got, want)
			}
		})
	}
}
