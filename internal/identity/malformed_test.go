package identity

import (
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
)

// A document that is refused is answered AWS's text, and then what is wrong
// with it and where.
func TestMalformedPolicyDocument(t *testing.T) {
	const skeleton = "{\n    \"Version\": \"2020-10-17\"\n\t\"Statement\": [\n\t]\n}\n"
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, key := g.user("alice", allow("sts:AssumeRole"))
		alice := g.caller(key)
		r := g.role("r", trust(trustAccount), "")
		p := must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("*")}))(t)
		for _, tt := range []struct {
			name string
			call func(doc string) error
			json string // how faults of JSON are introduced
		}{
			{"PutUserPolicy", func(doc string) error {
				_, err := iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "q", PolicyDocument: doc})
				return err
			}, "Syntax errors in policy. "},
			{"PutRolePolicy", func(doc string) error {
				_, err := iamDo(g, root, "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: "r", PolicyName: "q", PolicyDocument: doc})
				return err
			}, "Syntax errors in policy. "},
			{"CreatePolicy", func(doc string) error {
				_, err := iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "q", PolicyDocument: doc})
				return err
			}, "Syntax errors in policy. "},
			{"CreatePolicyVersion", func(doc string) error {
				_, err := iamDo(g, root, "CreatePolicyVersion", g.CreatePolicyVersion, &iam.CreatePolicyVersionRequest{PolicyArn: *p.Policy.Arn, PolicyDocument: doc})
				return err
			}, "Syntax errors in policy. "},
			{"CreateRole", func(doc string) error {
				_, err := iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "q", AssumeRolePolicyDocument: doc})
				return err
			}, "This policy contains invalid Json: "},
			{"UpdateAssumeRolePolicy", func(doc string) error {
				_, err := iamDo(g, root, "UpdateAssumeRolePolicy", g.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyRequest{RoleName: "r", PolicyDocument: doc})
				return err
			}, "This policy contains invalid Json: "},
			{"AssumeRole", func(doc string) error {
				_, err := do(g, alice, sts.Service, "AssumeRole", g.AssumeRole, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", Policy: &doc})
				return err
			}, "Syntax errors in policy. "},
		} {
			t.Run(tt.name, func(t *testing.T) {
				wantCode(t, tt.call(skeleton), "MalformedPolicyDocument", tt.json+`Missing comma after the value of "Version" (line 3, column 2)`)
				wantCode(t, tt.call("{\"Version\":\"2012-10-17\",\n \"Statement\":{\"Actoin\":\"*\"}}"), "MalformedPolicyDocument",
					`Syntax errors in policy. Unknown element "Actoin" in the statement, did you mean "Action"? (line 2, column 15)`)
			})
		}
	})
}
