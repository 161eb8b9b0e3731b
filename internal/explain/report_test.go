package explain

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/policy"
)

func parse(t *testing.T, name, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(policy.Identity, text)
	if err != nil {
		t.Fatal(err)
	}
	return p.Named(name)
}

func TestReport(t *testing.T) {
	in := &policy.Input{
		Principal: policy.Principal{Type: policy.User, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/alice", UserID: "AIDA1"},
		Identity: []*policy.Policy{parse(t, "p", `{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":"*","Resource":"*"},
{"Sid":"No","Effect":"Deny","Action":"iot:*","Resource":"*","Condition":{"Null":{"aws:PrincipalTag/x":"true"}}}]}`)},
	}
	req := &policy.Request{Action: "iot:CreateThing", Resource: "arn:aws:iot:us-east-1:123456789012:thing/cam1"}
	r := Refusal{
		ID: "id", Account: "123456789012", Time: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC),
		Principal: in.Principal.ARN, UserID: in.Principal.UserID, Action: req.Action, Resource: req.Resource,
		Keys: policy.Keys{
			policy.Multi("aws:TagKeys", "b", "a"), policy.Single("aws:SourceIp", "192.0.2.1"),
			policy.Single("AWS:sourceip", "a lower layer's"), policy.Single("aws:RequestTag/A", ""),
		},
		Explain: func() policy.Explanation { return in.Explain(req) },
	}
	got, err := json.MarshalIndent(r.Report(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "RequestId": "id",
 "Time": "2026-01-15T12:00:00Z",
 "AccountId": "123456789012",
 "Principal": "arn:aws:iam::123456789012:user/alice",
 "PrincipalId": "AIDA1",
 "Action": "iot:CreateThing",
 "Resource": "arn:aws:iot:us-east-1:123456789012:thing/cam1",
 "Outcome": "explicitDeny",
 "PolicyType": "identity-based policy",
 "PolicyId": "p",
 "Sid": "No",
 "Reason": "with an explicit deny in an identity-based policy",
 "Statements": [
  {
   "PolicyType": "identity-based policy",
   "PolicyId": "p",
   "Position": 1,
   "Effect": "Allow",
   "Start": {
    "Line": 2,
    "Column": 1
   },
   "End": {
    "Line": 2,
    "Column": 47
   },
   "Applies": true,
   "Decided": false,
   "Nearly": false,
   "Variables": [],
   "Resources": [],
   "NotResources": false,
   "Conditions": []
  },
  {
   "PolicyType": "identity-based policy",
   "PolicyId": "p",
   "Sid": "No",
   "Position": 2,
   "Effect": "Deny",
   "Start": {
    "Line": 3,
    "Column": 1
   },
   "End": {
    "Line": 3,
    "Column": 112
   },
   "Applies": true,
   "Decided": true,
   "Nearly": false,
   "Variables": [
    {
     "Name": "aws:PrincipalTag/x",
     "Present": false,
     "Values": []
    }
   ],
   "Resources": [],
   "NotResources": false,
   "Conditions": [
    {
     "Operator": "Null",
     "Key": "aws:PrincipalTag/x",
     "Wanted": [
      "true"
     ],
     "Present": false,
     "Values": [],
     "Holds": true
    }
   ]
  }
 ],
 "Keys": [
  {
   "Name": "aws:RequestTag/A",
   "Present": true,
   "Values": [
    ""
   ]
  },
  {
   "Name": "aws:SourceIp",
   "Present": true,
   "Values": [
    "192.0.2.1"
   ]
  },
  {
   "Name": "aws:TagKeys",
   "Present": true,
   "Values": [
    "b",
    "a"
   ]
  }
 ]
}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestForeignTags: what another account's resource is tagged with is not told.
func TestForeignTags(t *testing.T) {
	const document = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Secret":"x","iam:resourcetag/Secret":"x","aws:RequestTag/a":"x"}}}}`
	for resource, told := range map[string]bool{
		"arn:aws:iam::123456789012:role/r": true, "arn:aws:iam::222222222222:role/r": false, "*": true, "arn:aws:s3:::bucket": true,
	} {
		keys := policy.Keys{policy.Single("aws:ResourceTag/Secret", "s"), policy.Single("iam:ResourceTag/Secret", "s"), policy.Single("aws:RequestTag/a", "b")}
		in := &policy.Input{Principal: policy.Principal{Type: policy.User, Account: "123456789012"}, Identity: []*policy.Policy{parse(t, "p", document)}}
		r := Refusal{Account: "123456789012", Resource: resource, Keys: keys, Explain: func() policy.Explanation {
			return in.Explain(&policy.Request{Action: "sts:AssumeRole", Resource: resource, Keys: keys})
		}}
		got := r.Report()
		want := 1
		if told {
			want = 3
		}
		if len(got.Keys) != want || len(got.Statements[0].Variables) != want {
			t.Errorf("%s: %+v", resource, got)
		}
		conditions := got.Statements[0].Conditions
		if len(conditions) != 3 {
			t.Fatalf("%s: %+v", resource, conditions)
		}
		for _, c := range conditions {
			if c.Present != (told || !ResourceTag(c.Key)) || len(c.Values) > 0 != c.Present || c.Wanted[0] != "x" {
				t.Errorf("%s: %+v", resource, c)
			}
		}
	}
}
