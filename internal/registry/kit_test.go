package registry

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
)

// kitRoot stands for the server's root; any certificate will do.
func (w *world) kitRoot() {
	w.t.Helper()
	c, err := w.Issuer.Certificate(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.Endpoints.Root, w.Endpoints.MQTTPort = func() []byte { return certificatePEM(c.Raw) }, 8883
}

func refusedKit(t *testing.T, err error, code, text string) {
	t.Helper()
	if e, ok := errors.AsType[*awsapi.Error](err); !ok || e.Code != code || e.Message != text {
		t.Errorf("got %v, want %s %q", err, code, text)
	}
}

func TestCreateDeviceKit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kitRoot()
		ctx, mine := t.Context(), w.ctx(account, region)
		w.policy("p")
		w.policy("q")
		nothing := func() {
			t.Helper()
			if n := len(must(w.Client.ListCertificates(ctx, &sdk.ListCertificatesInput{}))(t).Certificates); n != 0 {
				t.Errorf("%d certificates are left of what was refused", n)
			}
			if n := len(must(w.Client.ListThings(ctx, &sdk.ListThingsInput{}))(t).Things); n != 0 {
				t.Errorf("%d things are left of what was refused", n)
			}
		}
		in := thingd.CreateDeviceKitRequest{ThingName: "cam", Password: "changeit", PolicyNames: []string{"p", "q"}}
		_, err := w.CreateDeviceKit(mine, &in)
		refusedKit(t, err, "ResourceNotFoundException", "Thing cam not found")
		in.CreateThing = new(true)
		_, err = w.CreateDeviceKit(w.ctx(other, region), &in)
		refusedKit(t, err, "ResourceNotFoundException", "Policy not found (name=p)")
		bad := in
		bad.RoleAlias = new("none")
		_, err = w.CreateDeviceKit(mine, &bad)
		refusedKit(t, err, "ResourceNotFoundException", "Role alias none not found")
		bad = in
		bad.PolicyNames = []string{"p", "none"}
		_, err = w.CreateDeviceKit(mine, &bad)
		refusedKit(t, err, "ResourceNotFoundException", "Policy not found (name=none)")
		nothing()

		out := must(w.CreateDeviceKit(mine, &in))(t)
		if out.ThingArn != "arn:aws:iot:us-east-1:123456789012:thing/cam" || out.CertificateArn != "arn:aws:iot:us-east-1:123456789012:cert/"+out.CertificateId {
			t.Errorf("answered %+v", out)
		}
		if _, err := zip.NewReader(bytes.NewReader(out.Kit), int64(len(out.Kit))); err != nil {
			t.Error(err)
		}
		c := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &out.CertificateId}))(t).CertificateDescription
		if c.Status != "ACTIVE" || c.CertificateMode != "DEFAULT" {
			t.Errorf("the certificate is %+v", c)
		}
		if got := must(w.Client.ListThingPrincipals(ctx, &sdk.ListThingPrincipalsInput{ThingName: str("cam")}))(t).Principals; len(got) != 1 || got[0] != out.CertificateArn {
			t.Errorf("the thing has %v", got)
		}
		if got := must(w.Client.ListAttachedPolicies(ctx, &sdk.ListAttachedPoliciesInput{Target: &out.CertificateArn}))(t).Policies; len(got) != 2 {
			t.Errorf("the certificate has %v", got)
		}
		// What is asked at connections knows of it at once.
		if attached, _, _, err := w.ThingOfPrincipal(ctx, account, region, out.CertificateId, "cam"); err != nil || !attached {
			t.Errorf("attached %v, %v", attached, err)
		}
		if got, err := w.PoliciesOf(ctx, account, region, out.CertificateId); err != nil || len(got) != 2 {
			t.Errorf("%d policies, %v", len(got), err)
		}

		// Another for the same thing, which is left as it is; the same policy
		// twice is one.
		before := must(w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam")}))(t)
		in.PolicyNames = []string{"p", "p"}
		again := must(w.CreateDeviceKit(mine, &in))(t)
		after := must(w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam")}))(t)
		if again.CertificateId == out.CertificateId || *before.ThingId != *after.ThingId || after.Version != 1 {
			t.Errorf("again: %s, thing %+v", again.CertificateId, after)
		}
	})
}

// A policy that is deleted meanwhile is attached to no certificate, and a kit
// that fails for that leaves none.
func TestCreateDeviceKitRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kitRoot()
		mine := w.ctx(account, region)
		for range 10 {
			w.policy("p")
			var made *thingd.CreateDeviceKitResponse
			var kitErr, deleteErr error
			var both sync.WaitGroup
			both.Go(func() {
				made, kitErr = w.CreateDeviceKit(mine, &thingd.CreateDeviceKitRequest{ThingName: "cam", CreateThing: new(true), Password: "changeit", PolicyNames: []string{"p"}})
			})
			both.Go(func() {
				_, deleteErr = w.Client.DeletePolicy(context.WithoutCancel(t.Context()), &sdk.DeletePolicyInput{PolicyName: str("p")})
			})
			both.Wait()
			switch {
			case kitErr == nil && deleteErr == nil:
				t.Fatalf("the policy of %s was deleted", made.CertificateId)
			case kitErr == nil:
				must(w.Client.DetachPolicy(t.Context(), &sdk.DetachPolicyInput{PolicyName: str("p"), Target: &made.CertificateArn}))(t)
				must(w.Client.DeletePolicy(t.Context(), &sdk.DeletePolicyInput{PolicyName: str("p")}))(t)
			default:
				refusedKit(t, kitErr, "ResourceNotFoundException", "Policy not found (name=p)")
			}
		}
	})
}
