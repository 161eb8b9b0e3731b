package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
)

const bucket = "arn:aws:s3:::b/k"

// onBucket is a resource-based policy of one statement.
func onBucket(effect, principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`
}

// matched writes statements as ID@line:column-line:column, with the kind of
// policy in front where it is not an IAM policy.
func matched(list []iam.Statement) string {
	var out []string
	for _, m := range list {
		s := fmt.Sprintf("%s@%d:%d-%d:%d", *m.SourcePolicyId, *m.StartPosition.Line, *m.StartPosition.Column, *m.EndPosition.Line, *m.EndPosition.Column)
		if *m.SourcePolicyType != "IAM Policy" {
			s = *m.SourcePolicyType + " " + s
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestSimulateCustomPolicy(t *testing.T) {
	const (
		bob   = "arn:aws:iam::111122223333:user/eng/bob"
		owner = "arn:aws:iam::444455556666:root"
	)
	compact := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}`
	tests := []struct {
		name     string
		in       iam.SimulateCustomPolicyRequest
		decision string
		matched  string
		missing  string
		boundary string            // AllowedByPermissionsBoundary
		details  map[string]string // EvalDecisionDetails
	}{
		{name: "allowed", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{compact}},
			decision: "allowed", matched: "PolicyInputList.1@1:38-1:90"},
		{name: "implicit deny", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{allow("iot:*")}}, decision: "implicitDeny"},
		{name: "explicit deny names the deny alone", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{
			compact, "{\n \"Version\": \"2012-10-17\",\n \"Statement\": [\n  {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"},\n  {\"Effect\": \"Deny\", \"Action\": \"*\",\n   \"Resource\": \"*\"}]}",
		}}, decision: "explicitDeny", matched: "PolicyInputList.2@5:3-6:20"},
		{name: "all that allow", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{compact, compact}},
			decision: "allowed", matched: "PolicyInputList.1@1:38-1:90 PolicyInputList.2@1:38-1:90"},
		{name: "version 2008", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}},
			decision: "allowed", matched: "PolicyInputList.1@1:14-1:60"},
		{name: "boundary allows", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{compact}, PermissionsBoundaryPolicyInputList: []string{allow("s3:*")}},
			decision: "allowed", matched: "PolicyInputList.1@1:38-1:90", boundary: "true"},
		{name: "boundary is silent", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{compact}, PermissionsBoundaryPolicyInputList: []string{allow("iot:*")}},
			decision: "implicitDeny", boundary: "false"},
		{name: "boundary denies", in: iam.SimulateCustomPolicyRequest{PolicyInputList: []string{compact}, PermissionsBoundaryPolicyInputList: []string{deny("s3:*")}},
			decision: "explicitDeny", matched: "Permissions Boundary Policy PermissionsBoundaryPolicyInputList.1@1:38-1:86", boundary: "false"},
		{name: "missing keys", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`},
			ContextEntries:  []iam.ContextEntry{{ContextKeyName: new("AWS:SECUREtransport"), ContextKeyType: new("boolean"), ContextKeyValues: []string{"true"}}},
		}, decision: "implicitDeny", missing: "aws:username"},
		{name: "the caller's keys", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"bob","aws:PrincipalArn":"` + bob + `","aws:PrincipalAccount":"111122223333"}}}}`},
			CallerArn:       new(bob),
		}, decision: "allowed", matched: "PolicyInputList.1@1:37-1:233"},
		{name: "an entry over the caller's key", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"eve"}}}}`},
			CallerArn:       new(bob), ContextEntries: []iam.ContextEntry{{ContextKeyName: new("aws:username"), ContextKeyValues: []string{"eve"}}},
		}, decision: "allowed", matched: "PolicyInputList.1@1:37-1:135"},
		{name: "a resource-based policy", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("iot:*")}, ResourceArns: []string{bucket}, CallerArn: new(bob), ResourcePolicy: new(onBucket("Allow", bob)),
		}, decision: "allowed", matched: "Resource Policy ResourcePolicy@1:37-1:170", details: map[string]string{}},
		{name: "a resource-based policy denies", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{compact}, ResourceArns: []string{bucket}, CallerArn: new(bob), ResourcePolicy: new(onBucket("Deny", "*")),
		}, decision: "explicitDeny", matched: "Resource Policy ResourcePolicy@1:37-1:132", details: map[string]string{}},
		{name: "for another", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("iot:*")}, ResourceArns: []string{bucket}, CallerArn: new(bob), ResourcePolicy: new(onBucket("Allow", bob+"by")),
		}, decision: "implicitDeny", details: map[string]string{}},
		{name: "across accounts, both", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{compact}, ResourceArns: []string{bucket}, ResourceOwner: new(owner), CallerArn: new(bob), ResourcePolicy: new(onBucket("Allow", "111122223333")),
		}, decision: "allowed", matched: "PolicyInputList.1@1:38-1:90 Resource Policy ResourcePolicy@1:37-1:144",
			details: map[string]string{"IAM Policy": "allowed", "Resource Policy": "allowed"}},
		{name: "across accounts, the resource alone", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("iot:*")}, ResourceArns: []string{bucket}, ResourceOwner: new(owner), CallerArn: new(bob), ResourcePolicy: new(onBucket("Allow", bob)),
		}, decision: "implicitDeny", details: map[string]string{"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}},
		{name: "across accounts, the user alone", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{compact}, ResourceArns: []string{bucket}, ResourceOwner: new(owner), CallerArn: new(bob), ResourcePolicy: new(onBucket("Allow", "444455556666")),
			PermissionsBoundaryPolicyInputList: []string{allow("*")},
		}, decision: "implicitDeny", boundary: "true",
			details: map[string]string{"IAM Policy": "allowed", "Resource Policy": "implicitDeny", "Permissions Boundary Policy": "allowed"}},
		{name: "across accounts, denied there", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{compact}, ResourceArns: []string{bucket}, ResourceOwner: new(owner), CallerArn: new(bob), ResourcePolicy: new(onBucket("Deny", bob)),
		}, decision: "explicitDeny", matched: "Resource Policy ResourcePolicy@1:37-1:169",
			details: map[string]string{"IAM Policy": "allowed", "Resource Policy": "explicitDeny"}},
		{name: "another account, of whose policy nothing is known", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{compact}, ResourceArns: []string{bucket}, ResourceOwner: new(owner), CallerArn: new(bob),
		}, decision: "allowed", matched: "PolicyInputList.1@1:38-1:90", details: map[string]string{}},
		{name: "resources of EC2", in: iam.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("ec2:*")}, ActionNames: []string{"ec2:RunInstances"}, ResourceHandlingOption: new("EC2-VPC-InstanceStore"), ResourceArns: []string{
				"arn:aws:ec2:us-east-1:111122223333:instance/*", "arn:aws:ec2:us-east-1::image/ami-1", "arn:aws:ec2:us-east-1:111122223333:security-group/sg-1", "arn:aws:ec2:us-east-1:111122223333:network-interface/eni-1",
			},
		}, decision: "allowed", matched: "PolicyInputList.1@1:38-1:88", details: map[string]string{}},
	}
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if tt.in.ActionNames == nil {
					tt.in.ActionNames = []string{"s3:GetObject"}
				}
				out := must(iamDo(g, root, "SimulateCustomPolicy", g.SimulateCustomPolicy, &tt.in))(t)
				if *out.IsTruncated || out.Marker != nil || len(out.EvaluationResults) != max(1, len(tt.in.ResourceArns)) {
					t.Fatalf("answer %+v", out)
				}
				r := out.EvaluationResults[0]
				resource := "*"
				if tt.in.ResourceArns != nil {
					resource = tt.in.ResourceArns[0]
				}
				if r.EvalActionName != tt.in.ActionNames[0] || *r.EvalResourceName != resource || r.OrganizationsDecisionDetail != nil {
					t.Errorf("result %+v", r)
				}
				if r.EvalDecision != tt.decision || matched(r.MatchedStatements) != tt.matched || r.MatchedStatements == nil {
					t.Errorf("%s by %q, want %s by %q", r.EvalDecision, matched(r.MatchedStatements), tt.decision, tt.matched)
				}
				if strings.Join(r.MissingContextValues, " ") != tt.missing || r.MissingContextValues == nil {
					t.Errorf("missing %q, want %q", r.MissingContextValues, tt.missing)
				}
				b := ""
				if d := r.PermissionsBoundaryDecisionDetail; d != nil {
					b = fmt.Sprint(*d.AllowedByPermissionsBoundary)
				}
				if b != tt.boundary {
					t.Errorf("allowed by boundary %q, want %q", b, tt.boundary)
				}
				if !maps.Equal(r.EvalDecisionDetails, tt.details) || (r.EvalDecisionDetails == nil) != (tt.details == nil) {
					t.Errorf("details %v, want %v", r.EvalDecisionDetails, tt.details)
				}
				if resource == "*" {
					if r.ResourceSpecificResults != nil {
						t.Errorf("specific results %+v", r.ResourceSpecificResults)
					}
					return
				}
				if len(r.ResourceSpecificResults) != 1 {
					t.Fatalf("specific results %+v", r.ResourceSpecificResults)
				}
				s := r.ResourceSpecificResults[0]
				if s.EvalResourceName != resource || s.EvalResourceDecision != tt.decision || matched(s.MatchedStatements) != tt.matched ||
					len(tt.details) != len(s.EvalDecisionDetails) || (s.PermissionsBoundaryDecisionDetail != nil) != (b != "") {
					t.Errorf("specific result %+v", s)
				}
			})
		}
	})
}

func TestSimulateErrors(t *testing.T) {
	const bob = "arn:aws:iam::111122223333:user/bob"
	entry := func(name, typ string, values ...string) iam.SimulateCustomPolicyRequest {
		return iam.SimulateCustomPolicyRequest{ContextEntries: []iam.ContextEntry{{ContextKeyName: &name, ContextKeyType: &typ, ContextKeyValues: values}}}
	}
	tests := []struct {
		name string
		in   iam.SimulateCustomPolicyRequest
		text string
	}{
		{"action without a name", iam.SimulateCustomPolicyRequest{ActionNames: []string{"iot:Publish", "GetObject"}}, "The action is invalid since it is missing names"},
		{"action with an empty name", iam.SimulateCustomPolicyRequest{ActionNames: []string{"s3:"}}, "The action is invalid since it is missing names"},
		{"action with two colons", iam.SimulateCustomPolicyRequest{ActionNames: []string{"s3:a:b"}}, "The action is invalid since it is missing names"},
		{"action with wildcards", iam.SimulateCustomPolicyRequest{ActionNames: []string{"s3:Get*"}}, "The action s3:Get* is invalid since it contains wildcards"},
		{"resource not an ARN", iam.SimulateCustomPolicyRequest{ResourceArns: []string{bucket, "b"}}, "ResourceNames are not in a valid ARN format: b."},
		{"everything and something", iam.SimulateCustomPolicyRequest{ResourceArns: []string{bucket, "*"}}, "ResourceNames are not in a valid ARN format: *."},
		{"owner by id", iam.SimulateCustomPolicyRequest{ResourceOwner: new("111122223333")}, "Invalid Resource Owner."},
		{"owner a user", iam.SimulateCustomPolicyRequest{ResourceOwner: new(bob)}, "Invalid Resource Owner."},
		{"caller a role", iam.SimulateCustomPolicyRequest{CallerArn: new("arn:aws:iam::111122223333:role/r")}, "Invalid caller - Caller must be an IAM user"},
		{"caller a session", iam.SimulateCustomPolicyRequest{CallerArn: new("arn:aws:sts::111122223333:assumed-role/r/s")}, "Invalid caller - Caller must be an IAM user"},
		{"resource policy without caller", iam.SimulateCustomPolicyRequest{ResourceArns: []string{bucket}, ResourcePolicy: new(onBucket("Allow", "*"))}, "Invalid caller - Caller cannot be null or empty."},
		{"resource policy on everything", iam.SimulateCustomPolicyRequest{CallerArn: new(bob), ResourcePolicy: new(onBucket("Allow", "*"))}, "Invalid Entity Arn: * does not clearly define entity type and name."},
		{"resource policy of another resource", iam.SimulateCustomPolicyRequest{CallerArn: new(bob), ResourceArns: []string{bucket, "arn:aws:s3:::other"}, ResourcePolicy: new(onBucket("Allow", "*"))},
			"it does not apply to resource arn:aws:s3:::other."},
		{"resource policy without principal", iam.SimulateCustomPolicyRequest{CallerArn: new(bob), ResourceArns: []string{bucket}, ResourcePolicy: new(allow("*"))},
			"Invalid policy ResourcePolicy: Missing required field Principal: The statement names no Principal (line 1, column 38)"},
		{"trust policy", iam.SimulateCustomPolicyRequest{CallerArn: new(bob), ResourceArns: []string{bucket}, ResourcePolicy: new(trust(`"*"`))}, "Policy statement must contain resources."},
		{"malformed policy", iam.SimulateCustomPolicyRequest{PolicyInputList: []string{allow("*"), "{"}},
			`Invalid policy PolicyInputList.2: Syntax errors in policy. Unexpected end of document, expected an element name in double quotes (line 1, column 2)`},
		{"resource policy for identities", iam.SimulateCustomPolicyRequest{PolicyInputList: []string{onBucket("Allow", "*")}}, "Invalid policy PolicyInputList.1: Policy document should not specify a principal."},
		{"malformed boundary", iam.SimulateCustomPolicyRequest{PermissionsBoundaryPolicyInputList: []string{"x"}}, "Invalid policy PermissionsBoundaryPolicyInputList.1: Syntax errors in policy."},
		{"two boundaries", iam.SimulateCustomPolicyRequest{PermissionsBoundaryPolicyInputList: []string{allow("*"), allow("*")}}, "Only one permissions boundary can be given."},
		{"entry without name", iam.SimulateCustomPolicyRequest{ContextEntries: []iam.ContextEntry{{ContextKeyValues: []string{"x"}}}}, "it has no ContextKeyName."},
		{"entry twice", iam.SimulateCustomPolicyRequest{ContextEntries: []iam.ContextEntry{
			{ContextKeyName: new("aws:username"), ContextKeyValues: []string{"x"}}, {ContextKeyName: new("aws:UserName"), ContextKeyValues: []string{"y"}},
		}}, "context key aws:UserName is given twice."},
		{"unknown type", entry("a:b", "text", "x"), `type "text" of context key a:b is unknown.`},
		{"no number", entry("a:b", "numeric", "x"), `value "x" of context key a:b is not of type numeric.`},
		{"no date in the list", entry("a:b", "dateList", "2026-01-15", "soon"), `value "soon" of context key a:b is not of type date.`},
		{"two values", entry("a:b", "string", "x", "y"), "context key a:b of type string has 2 values, not one."},
		{"no value", entry("a:b", "ip"), "context key a:b of type ip has 0 values, not one."},
		{"unknown scenario", iam.SimulateCustomPolicyRequest{ResourceHandlingOption: new("EC2")}, "Invalid input resource handling options: EC2."},
		{"scenario of another action", iam.SimulateCustomPolicyRequest{ResourceHandlingOption: new("EC2-VPC-EBS")}, "Action does not support resource handling options: s3:GetObject."},
		{"scenario without its resources", iam.SimulateCustomPolicyRequest{
			ActionNames: []string{"ec2:runinstances"}, ResourceHandlingOption: new("EC2-VPC-EBS"), ResourceArns: []string{"arn:aws:ec2:us-east-1:111122223333:instance/i-1"},
		}, "EC2-VPC-EBS needs a resource of type image."},
	}
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if tt.in.ActionNames == nil {
					tt.in.ActionNames = []string{"s3:GetObject"}
				}
				if tt.in.PolicyInputList == nil {
					tt.in.PolicyInputList = []string{allow("*")}
				}
				_, err := iamDo(g, root, "SimulateCustomPolicy", g.SimulateCustomPolicy, &tt.in)
				wantCode(t, err, "InvalidInput", tt.text)
			})
		}
	})
}

// Entries of every type mean what the condition operators make of them.
func TestSimulateContextTypes(t *testing.T) {
	g := &Service{}
	for _, tt := range []struct {
		operator, value string // of the policy
		typ             string
		values          []string
	}{
		{"StringLike", "a*", "string", []string{"abc"}}, {"ForAnyValue:StringEquals", "b", "stringList", []string{"a", "b"}},
		{"NumericLessThan", "10", "numeric", []string{"9.5"}}, {"ForAllValues:NumericLessThan", "10", "numericList", []string{"1", "2"}},
		{"Bool", "true", "boolean", []string{"TRUE"}}, {"ForAnyValue:Bool", "false", "booleanList", []string{"true", "false"}},
		{"IpAddress", "203.0.113.0/24", "ip", []string{"203.0.113.9"}}, {"ForAllValues:IpAddress", "2001:db8::/32", "ipList", []string{"2001:db8::1"}},
		{"BinaryEquals", "QmluYXJ5", "binary", []string{"QmluYXJ5"}}, {"ForAnyValue:BinaryEquals", "QmluYXJ5", "binaryList", []string{"", "QmluYXJ5"}},
		{"DateLessThan", "2026-01-15", "date", []string{"1768435199"}}, {"ForAllValues:DateGreaterThan", "2026-01-15", "dateList", []string{"2026-01-16T00:00:00Z"}},
		{"ForAllValues:StringEquals", "x", "stringList", nil},
	} {
		doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{"a:b":%q}}}}`, tt.operator, tt.value)
		out, err := g.SimulateCustomPolicy(t.Context(), &iam.SimulateCustomPolicyRequest{
			ActionNames: []string{"iot:Publish"}, PolicyInputList: []string{doc},
			ContextEntries: []iam.ContextEntry{{ContextKeyName: new("a:b"), ContextKeyType: &tt.typ, ContextKeyValues: tt.values}},
		})
		if err != nil || out.EvaluationResults[0].EvalDecision != "allowed" {
			t.Errorf("%s %s: %v, %v", tt.operator, tt.typ, out, err)
		}
	}
}

func TestSimulatePages(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		in := &iam.SimulateCustomPolicyRequest{PolicyInputList: []string{allow("*")}, MaxItems: new(int64(4))}
		var want, got []string
		for i := range 3 {
			in.ActionNames = append(in.ActionNames, fmt.Sprint("iot:A", i))
			in.ResourceArns = append(in.ResourceArns, fmt.Sprint("arn:aws:iot:us-east-1:123456789012:thing/", i))
		}
		for _, a := range in.ActionNames {
			for _, r := range in.ResourceArns {
				want = append(want, a+" "+r)
			}
		}
		for pages := 1; ; pages++ {
			out := must(iamDo(g, root, "SimulateCustomPolicy", g.SimulateCustomPolicy, in))(t)
			for _, r := range out.EvaluationResults {
				got = append(got, r.EvalActionName+" "+*r.EvalResourceName)
			}
			if !*out.IsTruncated {
				if pages != 3 || out.Marker != nil {
					t.Errorf("%d pages, marker %v", pages, out.Marker)
				}
				break
			}
			in.Marker = out.Marker
		}
		if !slices.Equal(got, want) {
			t.Errorf("results %v", got)
		}
		users := must(iamDo(g, root, "ListUsers", g.ListUsers, &iam.ListUsersRequest{}))(t)
		for _, m := range []*string{new("x"), users.Marker, page{list: "simulation"}.marker("8"), page{list: "simulation"}.marker("x"), page{list: "simulation"}.marker("-1")} {
			if m == nil {
				continue
			}
			in.Marker = m
			_, err := iamDo(g, root, "SimulateCustomPolicy", g.SimulateCustomPolicy, in)
			wantCode(t, err, "ValidationError", "Invalid Marker.")
		}
		// A page ends early when its results are large.
		statement := `{"Effect":"Allow","Action":"*","Resource":"*"}`
		in = &iam.SimulateCustomPolicyRequest{PolicyInputList: []string{`{"Version":"2012-10-17","Statement":[` + strings.Repeat(statement+",", 1999) + statement + `]}`}}
		for i := range 50 {
			in.ActionNames = append(in.ActionNames, fmt.Sprint("iot:A", i))
		}
		out := must(iamDo(g, root, "SimulateCustomPolicy", g.SimulateCustomPolicy, in))(t)
		if len(out.EvaluationResults) != maxSimulated/2000 || !*out.IsTruncated {
			t.Errorf("%d results", len(out.EvaluationResults))
		}
	})
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		u, key := g.user("alice", allow("iot:Publish"))
		role := g.role("cam", trust(trustAccount), `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/cam"}}}}`)
		group := must(iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "eng"}))(t).Group
		must(iamDo(g, root, "PutGroupPolicy", g.PutGroupPolicy, &iam.PutGroupPolicyRequest{GroupName: "eng", PolicyName: "things", PolicyDocument: allow("iot:CreateThing")}))(t)
		must(iamDo(g, root, "AddUserToGroup", g.AddUserToGroup, &iam.AddUserToGroupRequest{GroupName: "eng", UserName: "alice"}))(t)
		own := *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "own", Path: new("/x/"), PolicyDocument: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::*:user/${aws:username}"}}`}))(t).Policy.Arn
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "alice", PolicyArn: own}))(t)
		must(iamDo(g, root, "AttachGroupPolicy", g.AttachGroupPolicy, &iam.AttachGroupPolicyRequest{GroupName: "eng", PolicyArn: "arn:aws:iam::aws:policy/AWSIoTDataAccess"}))(t)

		simulate := func(source, action, resource string, more ...func(*iam.SimulatePrincipalPolicyRequest)) (string, iam.EvaluationResult) {
			t.Helper()
			in := &iam.SimulatePrincipalPolicyRequest{PolicySourceArn: source, ActionNames: []string{action}, ResourceArns: []string{resource}}
			for _, f := range more {
				f(in)
			}
			r := must(iamDo(g, root, "SimulatePrincipalPolicy", g.SimulatePrincipalPolicy, in))(t).EvaluationResults[0]
			var ids []string
			for _, m := range r.MatchedStatements {
				ids = append(ids, *m.SourcePolicyId)
			}
			return strings.TrimSpace(r.EvalDecision + " " + strings.Join(ids, " ")), r
		}
		want := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		topic := "arn:aws:iot:us-east-1:123456789012:topic/a"
		got, _ := simulate(u.Arn, "iot:Publish", topic)
		want(got, "allowed user_alice_p AWSIoTDataAccess")
		got, _ = simulate(u.Arn, "iot:CreateThing", "*")
		want(got, "allowed group_eng_things")
		got, r := simulate(u.Arn, "iam:GetUser", u.Arn)
		want(got, "allowed own")
		if len(r.MissingContextValues) != 0 {
			t.Errorf("missing %v", r.MissingContextValues)
		}
		got, r = simulate(group.Arn, "iot:CreateThing", "*")
		want(got, "allowed group_eng_things")
		if r.PermissionsBoundaryDecisionDetail != nil {
			t.Error("a group has a boundary")
		}
		got, _ = simulate(group.Arn, "iam:GetUser", u.Arn)
		want(got, "implicitDeny")
		got, _ = simulate(role.Arn, "s3:GetObject", bucket)
		want(got, "allowed role_cam_p")
		got, _ = simulate(role.Arn, "iot:Publish", topic, func(in *iam.SimulatePrincipalPolicyRequest) { in.PolicyInputList = []string{allow("iot:*")} })
		want(got, "allowed PolicyInputList.1")

		// Bob with alice's policies: the variable is bob's name.
		bob := func(in *iam.SimulatePrincipalPolicyRequest) {
			in.CallerArn = new("arn:aws:iam::123456789012:user/bob")
		}
		got, _ = simulate(u.Arn, "iam:GetUser", u.Arn, bob)
		want(got, "implicitDeny")
		got, _ = simulate(u.Arn, "iam:GetUser", "arn:aws:iam::123456789012:user/bob", bob)
		want(got, "allowed own")

		// The boundary of the user, and another one in its place.
		must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: "alice", PermissionsBoundary: "arn:aws:iam::aws:policy/AWSDenyAll"}))(t)
		got, r = simulate(u.Arn, "iot:Publish", topic)
		want(got, "explicitDeny AWSDenyAll")
		if *r.MatchedStatements[0].SourcePolicyType != sourceBoundary || *r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
			t.Errorf("boundary %+v", r)
		}
		got, r = simulate(u.Arn, "iot:Publish", topic, func(in *iam.SimulatePrincipalPolicyRequest) {
			in.PermissionsBoundaryPolicyInputList = []string{allow("iot:*")}
		})
		want(got, "allowed user_alice_p AWSIoTDataAccess")
		if !*r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
			t.Errorf("boundary %+v", r)
		}

		// A user is the caller of himself; a role's caller has to be told.
		got, _ = simulate(u.Arn, "s3:GetObject", bucket, func(in *iam.SimulatePrincipalPolicyRequest) { in.ResourcePolicy = new(onBucket("Allow", u.UserId)) })
		want(got, "explicitDeny AWSDenyAll")
		must(iamDo(g, root, "DeleteUserPermissionsBoundary", g.DeleteUserPermissionsBoundary, &iam.DeleteUserPermissionsBoundaryRequest{UserName: "alice"}))(t)
		got, _ = simulate(u.Arn, "s3:GetObject", bucket, func(in *iam.SimulatePrincipalPolicyRequest) { in.ResourcePolicy = new(onBucket("Allow", u.UserId)) })
		want(got, "allowed ResourcePolicy")
		call := func(source string) error {
			_, err := iamDo(g, root, "SimulatePrincipalPolicy", g.SimulatePrincipalPolicy, &iam.SimulatePrincipalPolicyRequest{
				PolicySourceArn: source, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{bucket}, ResourcePolicy: new(onBucket("Allow", "*")),
			})
			return err
		}
		wantCode(t, call(role.Arn), "InvalidInput", "Invalid caller - Caller cannot be null or empty.")
		for source, word := range map[string]string{
			"arn:aws:iam::123456789012:user/ghost": "user", "arn:aws:iam::123456789012:group/ghost": "group", "arn:aws:iam::123456789012:role/x/ghost": "role",
		} {
			wantCode(t, call(source), "NoSuchEntity", "The "+word+" with name ghost cannot be found.")
		}
		wantCode(t, call("arn:aws:iam::123456789012:user/x/alice"), "NoSuchEntity", "The user with name alice cannot be found.")
		for _, source := range []string{
			"arn:aws:sts::123456789012:assumed-role/cam/s", "arn:aws:iam::123456789012:root", own, "arn:aws:iam::123456789012:user/", "not an arn at all, no", "arn:aws:iam:us-east-1:123456789012:user/alice",
		} {
			wantCode(t, call(source), "InvalidInput", "Invalid Entity Arn: "+source+" does not clearly define entity type and name.")
		}
		wantCode(t, call("arn:aws:iam::999999999999:user/alice"), "AccessDenied", "iam:SimulatePrincipalPolicy on resource: arn:aws:iam::999999999999:user/alice")

		// It is the user, group or role that one has to be allowed to ask about.
		must(iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "p", PolicyDocument: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:SimulatePrincipalPolicy","iam:GetContextKeysForPrincipalPolicy"],"Resource":"arn:aws:iam::*:group/*"}}`}))(t)
		alice := g.caller(key)
		for source, code := range map[string]string{group.Arn: "", u.Arn: "AccessDenied", role.Arn: "AccessDenied", "arn:aws:iam::123456789012:role/ghost": "AccessDenied"} {
			_, err := iamDo(g, alice, "SimulatePrincipalPolicy", g.SimulatePrincipalPolicy, &iam.SimulatePrincipalPolicyRequest{PolicySourceArn: source, ActionNames: []string{"s3:GetObject"}})
			wantCode(t, err, code, "iam:SimulatePrincipalPolicy on resource: "+source)
			_, err = iamDo(g, alice, "GetContextKeysForPrincipalPolicy", g.GetContextKeysForPrincipalPolicy, &iam.GetContextKeysForPrincipalPolicyRequest{PolicySourceArn: source})
			wantCode(t, err, code, "iam:GetContextKeysForPrincipalPolicy on resource: "+source)
		}
		_, err := iamDo(g, alice, "SimulateCustomPolicy", g.SimulateCustomPolicy, &iam.SimulateCustomPolicyRequest{})
		wantCode(t, err, "AccessDenied", "iam:SimulateCustomPolicy")
	})
}

func TestContextKeysForPolicies(t *testing.T) {
	first := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::*:user/${aws:username}","Condition":{"Null":{"aws:CurrentTime":"false"}}}}`
	second := `{"Statement":{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::${not:one}","Condition":{"StringEquals":{"AWS:UserName":"x","iot:ClientId":["${not:one}"]}}}}`
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		want := func(got *iam.GetContextKeysForPolicyResponse, names ...string) {
			t.Helper()
			if got.ContextKeyNames == nil || !slices.Equal(got.ContextKeyNames, names) {
				t.Errorf("keys %v, want %v", got.ContextKeyNames, names)
			}
		}
		custom := func(docs ...string) (*iam.GetContextKeysForPolicyResponse, error) {
			return iamDo(g, root, "GetContextKeysForCustomPolicy", g.GetContextKeysForCustomPolicy, &iam.GetContextKeysForCustomPolicyRequest{PolicyInputList: docs})
		}
		want(must(custom(first, second))(t), "aws:username", "aws:CurrentTime", "iot:ClientId")
		want(must(custom(allow("*")))(t))
		_, err := custom(first, "{}")
		wantCode(t, err, "InvalidInput", "Invalid policy PolicyInputList.2: Syntax errors in policy. Missing element Statement (line 1, column 1)")

		u, _ := g.user("alice", first)
		group := must(iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "eng"}))(t).Group
		must(iamDo(g, root, "PutGroupPolicy", g.PutGroupPolicy, &iam.PutGroupPolicyRequest{GroupName: "eng", PolicyName: "q", PolicyDocument: strings.Replace(second, "{", `{"Version":"2012-10-17",`, 1)}))(t)
		must(iamDo(g, root, "AddUserToGroup", g.AddUserToGroup, &iam.AddUserToGroupRequest{GroupName: "eng", UserName: "alice"}))(t)
		of := func(source string, docs ...string) (*iam.GetContextKeysForPolicyResponse, error) {
			return iamDo(g, root, "GetContextKeysForPrincipalPolicy", g.GetContextKeysForPrincipalPolicy, &iam.GetContextKeysForPrincipalPolicyRequest{PolicySourceArn: source, PolicyInputList: docs})
		}
		want(must(of(u.Arn))(t), "aws:username", "aws:CurrentTime", "not:one", "iot:ClientId")
		want(must(of(group.Arn, first))(t), "not:one", "AWS:UserName", "iot:ClientId", "aws:CurrentTime")
		_, err = of(u.Arn, "[]")
		wantCode(t, err, "InvalidInput", "Invalid policy PolicyInputList.1: Syntax errors in policy.")
		_, err = of("arn:aws:iam::123456789012:role/ghost")
		wantCode(t, err, "NoSuchEntity", "The role with name ghost cannot be found.")
		_, err = of("arn:aws:iam::123456789012:policy/ghost")
		wantCode(t, err, "InvalidInput", "Invalid Entity Arn: arn:aws:iam::123456789012:policy/ghost does not clearly define entity type and name.")
	})
}
