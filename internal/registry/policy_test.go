package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// labPolicy is the document of the camera lab, whose Connect resource is none
// that a client could have.
const labPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    { "Effect": "Allow", "Action": ["iot:Connect"], "Resource": "arn:aws:iot:us-east-1:123456789012:rolealias/KvsCameraIoTRoleAlias" },
    { "Effect": "Allow", "Action": ["iot:AssumeRoleWithCertificate"], "Resource": "arn:aws:iot:us-east-1:123456789012:rolealias/KvsCameraIoTRoleAlias" }
  ]
}
`

func TestPolicy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		out := must(w.Client.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: str("lab"), PolicyDocument: str(labPolicy)}))(t)
		if *out.PolicyName != "lab" || *out.PolicyArn != "arn:aws:iot:us-east-1:123456789012:policy/lab" || *out.PolicyDocument != labPolicy || *out.PolicyVersionId != "1" {
			t.Errorf("got %+v", out)
		}
		got := must(w.Client.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyName: str("lab")}))(t)
		if *got.PolicyDocument != labPolicy || *got.DefaultVersionId != "1" || got.CreationDate == nil || got.LastModifiedDate == nil || *got.GenerationId == "" {
			t.Errorf("got %+v", got)
		}
		long := func(n int) string { // of n characters that count
			doc := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:us-east-1:123456789012:topic/%s"}]}`
			return fmt.Sprintf(doc, strings.Repeat("x", n-len(strings.ReplaceAll(doc, " ", ""))+2))
		}
		for _, c := range []struct {
			name, policy, document, code, text string
			status                             int
		}{
			{"again", "lab", labPolicy, "ResourceAlreadyExistsException", "Policy cannot be created - name already exists (name=lab)", 409},
			{"not JSON", "p", `{`, "MalformedPolicyException", "line 1", 400},
			{"version and comma of S3-12", "p", "{\n\"Version\": \"2020-10-17\"\n\"Statement\": []}", "MalformedPolicyException", "line 3", 400},
			{"principal", "p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"iot:*","Resource":"*"}]}`, "MalformedPolicyException", "", 400},
			{"too long", "p", long(2049), "InvalidRequestException", "Policy cannot be created - size exceeds hard limit (2048)", 400},
			{"name", "p/q", labPolicy, "InvalidRequestException", "policyName", 400},
		} {
			_, err := w.Client.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: &c.policy, PolicyDocument: &c.document})
			t.Log(c.name)
			refused(t, err, c.code, c.status, c.text)
		}
		must(w.Client.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: str("just"), PolicyDocument: str(long(2048))}))(t)
		_, err := w.Client.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyName: str("LAB")})
		refused(t, err, "ResourceNotFoundException", 404, "LAB")
		_, err = w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		must(w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("lab")}))(t)
		_, err = w.Client.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyName: str("lab")})
		refused(t, err, "ResourceNotFoundException", 404, "lab")
	})
}

func TestPolicyVersions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.policy("p")
		add := func(standard bool) (*sdk.CreatePolicyVersionOutput, error) {
			return w.Client.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyName: str("p"), PolicyDocument: str(labPolicy), SetAsDefault: standard})
		}
		remove := func(id string) error {
			_, err := w.Client.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyName: str("p"), PolicyVersionId: &id})
			return err
		}
		standard := func() string {
			return *must(w.Client.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyName: str("p")}))(t).DefaultVersionId
		}
		if out := must(add(false))(t); *out.PolicyVersionId != "2" || out.IsDefaultVersion || *out.PolicyDocument != labPolicy || standard() != "1" {
			t.Errorf("got %+v", out)
		}
		if out := must(add(true))(t); *out.PolicyVersionId != "3" || !out.IsDefaultVersion || standard() != "3" {
			t.Errorf("got %+v", out)
		}
		must(add(false))(t)
		must(add(false))(t)
		_, err := add(false)
		refused(t, err, "VersionsLimitExceededException", 409, "The policy p already has the maximum number of versions (5)")
		refused(t, remove("3"), "DeleteConflictException", 409, "Cannot delete the default version of a policy")
		for _, id := range []string{"9", "0", "01", "99999999999999999999"} {
			refused(t, remove(id), "ResourceNotFoundException", 404, id)
		}
		if err := remove("5"); err != nil {
			t.Fatal(err)
		}
		if out := must(add(false))(t); *out.PolicyVersionId != "6" {
			t.Errorf("version %s: numbers are never used again", *out.PolicyVersionId)
		}
		var ids []string
		for _, v := range must(w.Client.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyName: str("p")}))(t).PolicyVersions {
			ids = append(ids, fmt.Sprint(*v.VersionId, v.IsDefaultVersion))
		}
		if want := []string{"6false", "4false", "3true", "2false", "1false"}; !slices.Equal(ids, want) {
			t.Errorf("got %v, want %v", ids, want)
		}
		must(w.Client.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyName: str("p"), PolicyVersionId: str("1")}))(t)
		got := must(w.Client.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyName: str("p"), PolicyVersionId: str("1")}))(t)
		if !got.IsDefaultVersion || *got.PolicyDocument != policyDocument || *got.PolicyVersionId != "1" || *got.PolicyName != "p" {
			t.Errorf("got %+v", got)
		}
		_, err = w.Client.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyName: str("p"), PolicyVersionId: str("5")})
		refused(t, err, "ResourceNotFoundException", 404, "5")
		_, err = w.Client.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyName: str("none"), PolicyVersionId: str("1")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		_, err = w.Client.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyName: str("none"), PolicyDocument: str(labPolicy)})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		_, err = w.Client.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyName: str("p"), PolicyDocument: str("[]")})
		refused(t, err, "MalformedPolicyException", 400, "")
		_, err = w.Client.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		_, err = w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("p")})
		refused(t, err, "DeleteConflictException", 409, "Cannot delete the policy because it has one or more policy versions attached to it (name=p)")
	})
}

// TestListingsByCreation walks what is listed by creation, page by page and in
// both directions.
func TestListingsByCreation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		names := []string{"d", "a", "c", "b", "e"}
		for _, name := range names {
			w.policy(name)
			must(w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: &name, RoleArn: str(roleARN)}))(t)
			if name != "c" { // c and b come in what may be one millisecond
				w.ahead.Add(int64(time.Second))
			}
		}
		for _, ascending := range []bool{true, false} {
			var policies, aliases []string
			for p := sdk.NewListPoliciesPaginator(w.Client, &sdk.ListPoliciesInput{PageSize: new(int32(2)), AscendingOrder: ascending}); p.HasMorePages(); {
				for _, policy := range must(p.NextPage(ctx))(t).Policies {
					policies = append(policies, *policy.PolicyName)
				}
			}
			for p := sdk.NewListRoleAliasesPaginator(w.Client, &sdk.ListRoleAliasesInput{PageSize: new(int32(2)), AscendingOrder: ascending}); p.HasMorePages(); {
				aliases = append(aliases, must(p.NextPage(ctx))(t).RoleAliases...)
			}
			for _, got := range [][]string{policies, aliases} {
				if !ascending {
					slices.Reverse(got)
				}
				s := strings.Join(got, "")
				if s != "dacbe" && s != "dabce" {
					t.Errorf("ascending %t: got %v", ascending, got)
				}
			}
		}
		_, err := w.Client.ListPolicies(ctx, &sdk.ListPoliciesInput{Marker: str("AAAA")})
		refused(t, err, "InvalidRequestException", 400, "token")
	})
}

func TestPolicyAttachments(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, cert := w.certificate()
		const cognito = "us-east-1:0f8fad5b-d9cb-469f-a165-70867728950e"
		w.policy("p")
		w.policy("q")
		attach := func(policy, target string) error {
			_, err := w.Client.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: &policy, Target: &target})
			return err
		}
		detach := func(policy, target string) error {
			_, err := w.Client.DetachPolicy(ctx, &sdk.DetachPolicyInput{PolicyName: &policy, Target: &target})
			return err
		}
		for _, c := range [][2]string{{"p", cert}, {"p", cert}, {"q", cert}, {"p", cognito}} {
			if err := attach(c[0], c[1]); err != nil {
				t.Fatal(err)
			}
		}
		listed := func(target string) (names []string) {
			for p := sdk.NewListAttachedPoliciesPaginator(w.Client, &sdk.ListAttachedPoliciesInput{Target: &target, PageSize: new(int32(1)), Recursive: true}); p.HasMorePages(); {
				for _, policy := range must(p.NextPage(ctx))(t).Policies {
					names = append(names, *policy.PolicyName)
				}
			}
			slices.Sort(names)
			return names
		}
		if got := listed(cert); !slices.Equal(got, []string{"p", "q"}) {
			t.Errorf("got %v", got)
		}
		var targets []string
		for p := sdk.NewListTargetsForPolicyPaginator(w.Client, &sdk.ListTargetsForPolicyInput{PolicyName: str("p"), PageSize: new(int32(1))}); p.HasMorePages(); {
			targets = append(targets, must(p.NextPage(ctx))(t).Targets...)
		}
		if slices.Sort(targets); !slices.Equal(targets, []string{cert, cognito}) {
			t.Errorf("got %v", targets)
		}
		var old []types.Policy
		for p := sdk.NewListPrincipalPoliciesPaginator(w.Client, &sdk.ListPrincipalPoliciesInput{Principal: &cert, PageSize: new(int32(1))}); p.HasMorePages(); {
			old = append(old, must(p.NextPage(ctx))(t).Policies...)
		}
		principals := must(w.Client.ListPolicyPrincipals(ctx, &sdk.ListPolicyPrincipalsInput{PolicyName: str("q")}))(t).Principals
		if len(old) != 2 || !slices.Equal(principals, []string{cert}) {
			t.Errorf("got %v and %v", old, principals)
		}

		missing := "arn:aws:iot:us-east-1:123456789012:cert/" + strings.Repeat("0", 64)
		for _, target := range []string{missing, strings.ToUpper(id), "arn:aws:iot:us-east-1:123456789012:cert/" + strings.ToUpper(id), "arn:aws:iot:us-east-1:210987654321:cert/" + id,
			"arn:aws:iot:eu-west-1:123456789012:cert/" + id, "arn:aws:iot:us-east-1:123456789012:thinggroup/g", "arn:aws:s3:::bucket",
			"eu-west-1:0f8fad5b-d9cb-469f-a165-70867728950e", "arn:aws:iot:us-east-1:123456789012:thing/cam1", cert + "/"} {
			code, status, text := "ResourceNotFoundException", 404, ""
			switch {
			case strings.Contains(target, ":cert/"):
				text = "The certificate given in the principal does not exist."
			case !strings.Contains(target, "thinggroup"):
				code, status = "InvalidRequestException", 400
			}
			refused(t, attach("p", target), code, status, text)
			refused(t, detach("p", target), "InvalidRequestException", 400, "Invalid Target")
			_, err := w.Client.ListAttachedPolicies(ctx, &sdk.ListAttachedPoliciesInput{Target: &target})
			refused(t, err, code, status, text)
			if strings.Contains(target, "thinggroup") { // which the older operations do not know
				code, status, text = "InvalidRequestException", 400, "Invalid Target"
			}
			_, err = w.Client.AttachPrincipalPolicy(ctx, &sdk.AttachPrincipalPolicyInput{PolicyName: str("p"), Principal: &target})
			refused(t, err, code, status, text)
			_, err = w.Client.DetachPrincipalPolicy(ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: str("p"), Principal: &target})
			refused(t, err, code, status, text)
		}
		refused(t, attach("none", cert), "ResourceNotFoundException", 404, "none")
		_, err := w.Client.ListTargetsForPolicy(ctx, &sdk.ListTargetsForPolicyInput{PolicyName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		_, err = w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("p")})
		refused(t, err, "DeleteConflictException", 409, "The policy cannot be deleted as the policy is attached to one or more principals (name=p)")

		for _, c := range [][2]string{{"p", cert}, {"p", cert}, {"none", cert}, {"p", cognito}} {
			if err := detach(c[0], c[1]); err != nil {
				t.Errorf("detach %v: %v", c, err)
			}
		}
		must(w.Client.DetachPrincipalPolicy(ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: str("q"), Principal: &cert}))(t)
		must(w.Client.DetachPrincipalPolicy(ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: str("q"), Principal: &cert}))(t)
		_, err = w.Client.DetachPrincipalPolicy(ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: str("none"), Principal: &cert})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		if got := listed(cert); got != nil {
			t.Errorf("left %v", got)
		}
		for i := range maxPrincipalPolicies + 1 {
			name := fmt.Sprint("n", i)
			w.policy(name)
			_, err := w.Client.AttachPrincipalPolicy(ctx, &sdk.AttachPrincipalPolicyInput{PolicyName: &name, Principal: &cert})
			if i < maxPrincipalPolicies && err != nil {
				t.Fatal(err)
			} else if i == maxPrincipalPolicies {
				refused(t, err, "LimitExceededException", 410, "10")
			}
		}
	})
}
