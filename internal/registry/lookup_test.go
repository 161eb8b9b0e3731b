package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/policy"
)

// TestCertificateOfSeveralAccounts checks that a certificate that several
// accounts have is the oldest registration's, unless the server name decides.
func TestCertificateOfSeveralAccounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		text := selfSigned(t, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t), nil)
		block, _ := pem.Decode([]byte(text))
		id := CertificateID(block.Bytes)
		homes := []place{{other, region}, {account, region}, {account, "eu-west-1"}}
		w.Endpoints.AWSNames = true
		hosts := make([]string, len(homes))
		for i, at := range homes {
			client := w.as(at.account, at.region)
			must(client.RegisterCertificateWithoutCA(ctx, &sdk.RegisterCertificateWithoutCAInput{CertificatePem: &text, Status: "ACTIVE"}))(t)
			typ := []string{"iot:CredentialProvider", "iot:Data-ATS", "iot:Jobs"}[i]
			hosts[i] = *must(client.DescribeEndpoint(ctx, &sdk.DescribeEndpointInput{EndpointType: &typ}))(t).EndpointAddress
			w.ahead.Add(int64(time.Second))
		}
		find := func(name string) string {
			c, ok, err := w.CertificateByID(ctx, id, name)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return "none"
			}
			if c.ARN != "arn:aws:iot:"+c.Region+":"+c.Account+":cert/"+id || c.ID != id || !c.Active(time.Now()) || c.Active(time.Now().Add(2*time.Hour)) || c.Active(time.Now().Add(-2*time.Hour)) {
				t.Errorf("got %+v", c)
			}
			return c.Account + " " + c.Region
		}
		for name, want := range map[string]string{
			"": other + " " + region, "localhost": other + " " + region,
			hosts[0]: other + " " + region, hosts[1]: account + " " + region, hosts[2]: account + " eu-west-1",
			"a00000000000zz-ats.iot.us-east-1.amazonaws.com":  "none",
			strings.Replace(hosts[1], region, "eu-west-1", 1): "none",
		} {
			if got := find(name); got != want {
				t.Errorf("%q: got %s, want %s", name, got, want)
			}
		}
		// One that is of no use is in nobody's way, unless its name is asked for.
		must(w.as(other, region).UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: "REVOKED"}))(t)
		if c, _, _ := w.CertificateByID(ctx, id, hosts[0]); c.Status != "REVOKED" || c.Active(time.Now()) {
			t.Errorf("got %+v", c)
		}
		if got := find(""); got != account+" "+region {
			t.Errorf("got %s", got)
		}
		for _, r := range []string{region, "eu-west-1"} {
			must(w.as(account, r).UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: "INACTIVE"}))(t)
		}
		if c, _, _ := w.CertificateByID(ctx, id, ""); c.Account != other || c.Status != "REVOKED" {
			t.Errorf("without an active one: %+v", c)
		}
		must(w.as(account, region).UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: "ACTIVE"}))(t)
		must(w.as(other, region).DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id}))(t)
		if got := find(""); got != account+" "+region {
			t.Errorf("got %s", got)
		}
		if got := find(hosts[0]); got != "none" {
			t.Errorf("got %s", got)
		}
		if _, ok, err := w.CertificateByID(ctx, strings.Repeat("0", 64), ""); ok || err != nil {
			t.Error(ok, err)
		}
	})
}

// TestIssuedCertificateStaysItsAccounts checks that another account that
// registers the text of a certificate gets neither the device nor a say in
// whether it is active.
func TestIssuedCertificateStaysItsAccounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, _ := w.certificate()
		text := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &id}))(t).CertificateDescription.CertificatePem
		w.ahead.Add(int64(-time.Hour)) // the other registration is even older
		must(w.as(other, region).RegisterCertificateWithoutCA(ctx, &sdk.RegisterCertificateWithoutCAInput{CertificatePem: text, Status: "ACTIVE"}))(t)
		for _, status := range []types.CertificateStatus{"ACTIVE", "INACTIVE", "ACTIVE", "REVOKED"} {
			must(w.Client.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: status}))(t)
			c, ok, err := w.CertificateByID(ctx, id, "localhost")
			if err != nil || !ok || c.Account != account || c.Status != string(status) {
				t.Errorf("%s: got %+v, %v", status, c, err)
			}
		}
		must(w.Client.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id}))(t)
		if c, ok, err := w.CertificateByID(ctx, id, "localhost"); err != nil || !ok || c.Account != other {
			t.Errorf("given up by its account: %+v, %v", c, err)
		}
	})
}

// TestLookupsFollowWrites asks each lookup twice, so that the second answer is
// the cached one, and after each write that it rests on.
func TestLookupsFollowWrites(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.Client
		id, cert := w.certificate()
		expect := func(step string, want string, ask func() string) {
			t.Helper()
			for i := range 2 {
				if got := ask(); got != want {
					t.Errorf("%s, asked %d times: got %q, want %q", step, i+1, got, want)
				}
			}
		}
		thing := func() string {
			attached, exists, typ, err := w.ThingOfPrincipal(ctx, account, region, id, "cam1")
			return fmt.Sprint(attached, " ", exists, " ", typ, " ", err)
		}
		policies := func() string {
			list, err := w.PoliciesOf(ctx, account, region, id)
			var names []string
			for _, p := range list {
				d := policy.DecideIoT([]*policy.Policy{p}, &policy.Request{Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:123456789012:topic/a"})
				names = append(names, p.ID()+":"+d.Outcome.String())
			}
			return fmt.Sprint(strings.Join(names, " "), " ", err)
		}
		alias := func() string {
			a, ok, err := w.RoleAlias(ctx, account, region, "lab")
			if !ok {
				return fmt.Sprint(ok, " ", err)
			}
			return fmt.Sprint(a.Name, " ", a.ARN, " ", a.RoleARN, " ", a.Duration)
		}
		status := func() string {
			c, ok, err := w.CertificateByID(ctx, id, "")
			if !ok {
				return fmt.Sprint(ok, " ", err)
			}
			return c.Status
		}

		expect("no thing", "false false  <nil>", thing)
		w.thing("cam1")
		expect("thing", "false true  <nil>", thing)
		must(c.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("cam1"), Principal: &cert}))(t)
		expect("attached", "true true  <nil>", thing)
		must(c.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		must(c.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("cam1"), ThingTypeName: str("camera")}))(t)
		expect("typed", "true true camera <nil>", thing)
		must(c.DetachThingPrincipal(ctx, &sdk.DetachThingPrincipalInput{ThingName: str("cam1"), Principal: &cert}))(t)
		expect("detached", "false true camera <nil>", thing)
		must(c.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1")}))(t)
		expect("deleted", "false false  <nil>", thing)

		expect("no policy", " <nil>", policies)
		w.policy("p")
		must(c.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: &cert}))(t)
		expect("policy", "p:allowed <nil>", policies)
		must(c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyName: str("p"), PolicyDocument: str(labPolicy)}))(t)
		expect("another version", "p:allowed <nil>", policies)
		must(c.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyName: str("p"), PolicyVersionId: str("2")}))(t)
		expect("another default", "p:implicitDeny <nil>", policies)
		must(c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyName: str("p"), PolicyDocument: str(policyDocument), SetAsDefault: true}))(t)
		expect("a new default", "p:allowed <nil>", policies)
		must(c.DetachPolicy(ctx, &sdk.DetachPolicyInput{PolicyName: str("p"), Target: &cert}))(t)
		expect("detached", " <nil>", policies)

		expect("no alias", "false <nil>", alias)
		must(c.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("lab"), RoleArn: str(roleARN)}))(t)
		expect("alias", "lab arn:aws:iot:us-east-1:123456789012:rolealias/lab "+roleARN+" 1h0m0s", alias)
		must(c.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("lab"), CredentialDurationSeconds: new(int32(900))}))(t)
		expect("shorter", "lab arn:aws:iot:us-east-1:123456789012:rolealias/lab "+roleARN+" 15m0s", alias)
		must(c.DeleteRoleAlias(ctx, &sdk.DeleteRoleAliasInput{RoleAlias: str("lab")}))(t)
		expect("no alias again", "false <nil>", alias)

		expect("active", "ACTIVE", status)
		must(c.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: &cert}))(t)
		expect("attached", "p:allowed <nil>", policies)
		must(c.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: "INACTIVE"}))(t)
		expect("inactive", "INACTIVE", status)
		must(c.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id, ForceDelete: true}))(t)
		expect("deleted", "false <nil>", status)
		expect("deleted", " <nil>", policies)

		// What happens behind the registry's back shows after Invalidate.
		id, _ = w.certificate()
		expect("another", "ACTIVE", status)
		if err := w.DB.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		expect("reset, cached", "ACTIVE", status)
		w.Invalidate()
		expect("reset", "false <nil>", status)
	})
}

// TestAccountsAreApart has a second account and a second region ask for all
// that the first has.
func TestAccountsAreApart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, cert := w.certificate()
		w.policy("p")
		w.thing("cam1")
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		must(w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("lab"), RoleArn: str(roleARN)}))(t)
		must(w.Client.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: &cert}))(t)
		for _, c := range []*sdk.Client{w.as(other, region), w.as(account, "eu-west-1")} {
			gone := func(err error) {
				t.Helper()
				refused(t, err, "ResourceNotFoundException", 404, "")
			}
			_, err := c.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam1")})
			gone(err)
			_, err = c.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("cam1")})
			gone(err)
			_, err = c.DescribeThingType(ctx, &sdk.DescribeThingTypeInput{ThingTypeName: str("camera")})
			gone(err)
			_, err = c.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("x"), ThingTypeName: str("camera")})
			gone(err)
			_, err = c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyName: str("p")})
			gone(err)
			_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("p")})
			gone(err)
			_, err = c.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &id})
			gone(err)
			_, err = c.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: "REVOKED"})
			gone(err)
			_, err = c.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id, ForceDelete: true})
			gone(err)
			_, err = c.DescribeRoleAlias(ctx, &sdk.DescribeRoleAliasInput{RoleAlias: str("lab")})
			gone(err)
			_, err = c.DeleteRoleAlias(ctx, &sdk.DeleteRoleAliasInput{RoleAlias: str("lab")})
			gone(err)
			_, err = c.ListAttachedPolicies(ctx, &sdk.ListAttachedPoliciesInput{Target: &cert})
			gone(err)
			must(c.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1")}))(t)
			if n := len(must(c.ListThings(ctx, &sdk.ListThingsInput{}))(t).Things) + len(must(c.ListPolicies(ctx, &sdk.ListPoliciesInput{}))(t).Policies) +
				len(must(c.ListCertificates(ctx, &sdk.ListCertificatesInput{}))(t).Certificates) + len(must(c.ListRoleAliases(ctx, &sdk.ListRoleAliasesInput{}))(t).RoleAliases) +
				len(must(c.ListThingTypes(ctx, &sdk.ListThingTypesInput{}))(t).ThingTypes); n != 0 {
				t.Errorf("%d items of another account or region listed", n)
			}
		}
		must(w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam1")}))(t)
	})
}

// TestLookupsWithoutStatements takes the database away after the first round of
// lookups: what nobody changed is answered from memory.
func TestLookupsWithoutStatements(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, cert := w.certificate()
		w.policy("p")
		w.thing("cam1")
		must(w.Client.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: &cert}))(t)
		must(w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("cam1"), Principal: &cert}))(t)
		must(w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("lab"), RoleArn: str(roleARN)}))(t)
		w.Endpoints.AWSNames = true
		name := *must(w.Client.DescribeEndpoint(ctx, &sdk.DescribeEndpointInput{EndpointType: str("iot:CredentialProvider")}))(t).EndpointAddress
		all := w.Service.DB
		for range 2 {
			c, ok, err := w.CertificateByID(ctx, id, name)
			if err != nil || !ok || c.ID != id {
				t.Fatal(c, ok, err)
			}
			if attached, _, _, err := w.ThingOfPrincipal(ctx, account, region, id, "cam1"); err != nil || !attached {
				t.Fatal(attached, err)
			}
			if policies := must(w.PoliciesOf(ctx, account, region, id))(t); len(policies) != 1 {
				t.Fatal(policies)
			}
			if a, ok, err := w.Service.RoleAlias(ctx, account, region, "lab"); err != nil || !ok || a.RoleARN != roleARN {
				t.Fatal(a, ok, err)
			}
			w.Service.DB = nil
		}
		w.Service.DB = all
	})
}
