package registry

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

func TestRegisterCertificateWithoutCA(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
		good := selfSigned(t, ec, nil)
		register := func(text string, status types.CertificateStatus) (*sdk.RegisterCertificateWithoutCAOutput, error) {
			return w.Client.RegisterCertificateWithoutCA(ctx, &sdk.RegisterCertificateWithoutCAInput{CertificatePem: &text, Status: status})
		}
		out := must(register(good, "ACTIVE"))(t)
		d := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: out.CertificateId}))(t).CertificateDescription
		if *d.CertificatePem != good || d.Status != "ACTIVE" || d.CertificateMode != "SNI_ONLY" || *out.CertificateArn != *d.CertificateArn {
			t.Errorf("got %+v", d)
		}
		_, err := register(good, "")
		refused(t, err, "ResourceAlreadyExistsException", 409, "The certificate is already provisioned or registered")
		must(w.as(other, region).RegisterCertificateWithoutCA(ctx, &sdk.RegisterCertificateWithoutCAInput{CertificatePem: &good}))(t)
		silent := must(register(selfSigned(t, ec, nil), ""))(t)
		d = must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: silent.CertificateId}))(t).CertificateDescription
		if d.Status != "INACTIVE" {
			t.Errorf("status %s", d.Status)
		}
		_, ed, _ := ed25519.GenerateKey(rand.Reader)
		for name, c := range map[string]struct {
			text   string
			status types.CertificateStatus
			code   string
			says   string
		}{
			"transfer":   {selfSigned(t, ec, nil), "PENDING_TRANSFER", "InvalidRequestException", "with the status PENDING_TRANSFER"},
			"activation": {selfSigned(t, ec, nil), "PENDING_ACTIVATION", "InvalidRequestException", "with the status PENDING_ACTIVATION"},
			"deprecated": {selfSigned(t, ec, nil), "REGISTER_INACTIVE", "InvalidRequestException", "with the status REGISTER_INACTIVE"},
			"no PEM":     {"hello", "", "CertificateValidationException", "Invalid certificate: it is not in PEM format"},
			"no DER":     {"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "", "CertificateValidationException", "could not be parsed"},
			"key":        {strings.ReplaceAll(good, "CERTIFICATE", "PUBLIC KEY"), "", "CertificateValidationException", "its PEM block is a PUBLIC KEY"},
			"two":        {selfSigned(t, ec, nil) + good, "", "CertificateValidationException", "there is something after the end of CERTIFICATE"},
			"expired":    {selfSigned(t, ec, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "", "CertificateValidationException", "The certificate has expired"},
			"Ed25519":    {selfSigned(t, ed, nil), "", "CertificateValidationException", "Ed25519 is not supported"},
			"small RSA":  {selfSigned(t, smallRSA(t), nil), "", "CertificateValidationException", "1024"},
			"curve P224": {selfSigned(t, curveKey(t, elliptic.P224()), nil), "", "CertificateValidationException", "P-224"},
		} {
			t.Log(name)
			_, err := register(c.text, c.status)
			refused(t, err, c.code, 400, c.says)
		}
	})
}

func TestRegisterCertificate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ca := newAuthority(t, "factory", nil)
		caID := ca.register(t, w.Client, nil)
		describe := func(id *string) *types.CertificateDescription {
			return must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: id}))(t).CertificateDescription
		}
		var made []string
		for i, c := range []struct {
			in   sdk.RegisterCertificateInput
			want types.CertificateStatus
		}{
			{sdk.RegisterCertificateInput{}, "INACTIVE"},
			{sdk.RegisterCertificateInput{Status: "ACTIVE"}, "ACTIVE"},
			{sdk.RegisterCertificateInput{Status: "INACTIVE", CaCertificatePem: &ca.pem}, "INACTIVE"},
			{sdk.RegisterCertificateInput{Status: "REVOKED"}, "REVOKED"},
			{sdk.RegisterCertificateInput{SetAsActive: new(true)}, "ACTIVE"},                       //nolint:staticcheck // clients still send it
			{sdk.RegisterCertificateInput{SetAsActive: new(true), Status: "INACTIVE"}, "INACTIVE"}, //nolint:staticcheck // as above
		} {
			c.in.CertificatePem = str(ca.device(t))
			out := must(w.Client.RegisterCertificate(ctx, &c.in))(t)
			d := describe(out.CertificateId)
			if d.Status != c.want || d.CertificateMode != "DEFAULT" || *d.CaCertificateId != caID || *d.CertificatePem != *c.in.CertificatePem || *d.CertificateArn != *out.CertificateArn {
				t.Errorf("%d: got %+v", i, d)
			}
			made = append(made, *out.CertificateId)
			w.ahead.Add(int64(time.Second))
		}
		w.certificate() // of no CA of the account
		var ids []string
		for p := sdk.NewListCertificatesByCAPaginator(w.Client, &sdk.ListCertificatesByCAInput{CaCertificateId: &caID, PageSize: new(int32(4)), AscendingOrder: true}); p.HasMorePages(); {
			for _, c := range must(p.NextPage(ctx))(t).Certificates {
				ids = append(ids, *c.CertificateId)
			}
		}
		if !slices.Equal(ids, made) {
			t.Errorf("by the CA: got %v, want %v", ids, made)
		}
		theirs := must(w.as(other, region).ListCertificatesByCA(ctx, &sdk.ListCertificatesByCAInput{CaCertificateId: &caID}))(t)
		if len(theirs.Certificates) != 0 {
			t.Error("another account sees them")
		}

		again := describe(&made[0])
		_, err := w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: again.CertificatePem, Status: "ACTIVE"})
		refused(t, err, "ResourceAlreadyExistsException", 409, "The certificate is already provisioned or registered")
		if e, ok := errors.AsType[*types.ResourceAlreadyExistsException](err); !ok || *e.ResourceId != made[0] || *e.ResourceArn != *again.CertificateArn {
			t.Errorf("got %+v", e)
		}
		_, err = w.Client.RegisterCertificateWithoutCA(ctx, &sdk.RegisterCertificateWithoutCAInput{CertificatePem: again.CertificatePem})
		refused(t, err, "ResourceAlreadyExistsException", 409, "")

		// In another account and in another region it is another certificate.
		ca.register(t, w.as(other, region), sniOnly)
		ca.register(t, w.as(account, "eu-west-1"), nil)
		for _, c := range []*sdk.Client{w.as(other, region), w.as(account, "eu-west-1")} {
			must(c.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: again.CertificatePem}))(t)
		}
		d := must(w.as(other, region).DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &made[0]}))(t).CertificateDescription
		if d.CertificateMode != "SNI_ONLY" || *d.OwnedBy != other {
			t.Errorf("got %+v", d)
		}
	})
}

func TestRegisterCertificateIsRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ca, namesake, unknown := newAuthority(t, "factory", nil), newAuthority(t, "factory", nil), newAuthority(t, "unknown", nil)
		sleeping := newAuthority(t, "sleeping", nil)
		ca.register(t, w.Client, nil)
		sleepingID := sleeping.register(t, w.Client, func(in *sdk.RegisterCACertificateInput) { in.SetAsActive = false })
		elsewhere := newAuthority(t, "elsewhere", nil)
		elsewhere.register(t, w.as(other, region), nil)
		elsewhere.register(t, w.as(account, "eu-west-1"), nil)
		soon := newAuthority(t, "soon", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(30 * time.Minute) })
		soon.register(t, w.Client, nil)
		const validation = "CertificateValidationException"
		// Who has no key id for his CA is found out by the signature.
		bare := newAuthority(t, "bare", nil)
		bare.register(t, w.Client, nil)
		forger := newAuthority(t, "bare", nil)
		forger.cert.SubjectKeyId = bare.cert.SubjectKeyId
		check := func(name string, in sdk.RegisterCertificateInput, code, text string, status int) {
			t.Helper()
			_, err := w.Client.RegisterCertificate(ctx, &in)
			t.Log(name)
			refused(t, err, code, status, text)
		}
		for name, c := range map[string]struct {
			in     sdk.RegisterCertificateInput
			code   string
			text   string
			status int
		}{
			"status":    {sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t)), Status: "PENDING_ACTIVATION"}, "InvalidRequestException", "with the status PENDING_ACTIVATION", 400},
			"no PEM":    {sdk.RegisterCertificateInput{CertificatePem: str("hello")}, validation, "not in PEM", 400},
			"expired":   {sdk.RegisterCertificateInput{CertificatePem: str(ca.sign(t, "d", ca.key.Public(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }))}, validation, "The certificate has expired", 400},
			"unknown":   {sdk.RegisterCertificateInput{CertificatePem: str(unknown.device(t))}, validation, "is not registered", 400},
			"given":     {sdk.RegisterCertificateInput{CertificatePem: str(unknown.device(t)), CaCertificatePem: &unknown.pem}, validation, "is not registered", 400},
			"not his":   {sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t)), CaCertificatePem: &unknown.pem}, validation, "not signed by the CA certificate that was given", 400},
			"bad CA":    {sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t)), CaCertificatePem: str("hello")}, validation, "Invalid CA certificate: it is not in PEM", 400},
			"namesake":  {sdk.RegisterCertificateInput{CertificatePem: str(namesake.device(t))}, validation, "is not registered", 400},
			"forged":    {sdk.RegisterCertificateInput{CertificatePem: str(forger.device(t))}, validation, "is not signed by the registered CA certificate", 400},
			"sleeping":  {sdk.RegisterCertificateInput{CertificatePem: str(sleeping.device(t))}, "CertificateStateException", "The CA certificate must be ACTIVE to register certificates. Id: " + sleepingID, 406},
			"elsewhere": {sdk.RegisterCertificateInput{CertificatePem: str(elsewhere.device(t))}, validation, "is not registered", 400},
		} {
			check(name, c.in, c.code, c.text, c.status)
		}
		if list := must(w.Client.ListCertificates(ctx, &sdk.ListCertificatesInput{}))(t); len(list.Certificates) != 0 {
			t.Errorf("%d certificates", len(list.Certificates))
		}

		// Another certificate for the CA's key makes it ambiguous.
		first := ca.pem
		ca.renew(t, "factory", nil)
		renewed := ca.register(t, w.Client, nil)
		device := ca.device(t)
		check("two", sdk.RegisterCertificateInput{CertificatePem: &device}, "CertificateConflictException", "give the one that signed it as caCertificatePem", 409)
		out := must(w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: &device, CaCertificatePem: &ca.pem}))(t)
		d := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: out.CertificateId}))(t).CertificateDescription
		if *d.CaCertificateId != renewed {
			t.Errorf("got %s, want %s", *d.CaCertificateId, renewed)
		}
		must(w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t)), CaCertificatePem: &first}))(t)
		// One that is not active does not.
		must(w.Client.UpdateCACertificate(ctx, &sdk.UpdateCACertificateInput{CertificateId: &renewed, NewStatus: "INACTIVE"}))(t)
		must(w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t))}))(t)
		check("the sleeping one", sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t)), CaCertificatePem: &ca.pem}, "CertificateStateException", renewed, 406)
		// A namesake with a key id of its own does not either.
		namesake.register(t, w.Client, nil)
		must(w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: str(namesake.device(t))}))(t)

		device = soon.sign(t, "d", soon.key.Public(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(24 * time.Hour) })
		w.ahead.Store(int64(time.Hour))
		check("expired CA", sdk.RegisterCertificateInput{CertificatePem: &device}, validation, "The CA certificate has expired", 400)
	})
}

// TestDeactivationIsNotRaced registers by a CA and deactivates and deletes it
// at once: what is told to be registered is there and is the CA's, and nothing
// is registered by a request that comes after the deactivation.
func TestDeactivationIsNotRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ca := newAuthority(t, "factory", nil)
		made := 0
		for i := range rounds() {
			id := ca.register(t, w.Client, sniOnly)
			register := func(device string) error {
				_, err := w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: &device})
				return err
			}
			var group sync.WaitGroup
			errs := make([]error, 3)
			for j := range errs {
				device := ca.device(t)
				group.Go(func() { errs[j] = register(device) })
			}
			late := ca.device(t)
			group.Go(func() {
				must(w.Client.UpdateCACertificate(ctx, &sdk.UpdateCACertificateInput{CertificateId: &id, NewStatus: "INACTIVE"}))(t)
				refused(t, register(late), "CertificateStateException", 406, id)
				must(w.Client.DeleteCACertificate(ctx, &sdk.DeleteCACertificateInput{CertificateId: &id}))(t)
				refused(t, register(late), "CertificateValidationException", 400, "is not registered")
			})
			group.Wait()
			for _, err := range errs {
				_, inactive := errors.AsType[*types.CertificateStateException](err)
				_, gone := errors.AsType[*types.CertificateValidationException](err)
				switch {
				case err == nil:
					made++
				case !inactive && !gone:
					t.Fatalf("round %d: %v", i, err)
				}
			}
			var there int
			if err := w.DB.QueryRow(ctx, `SELECT COUNT(*) FROM iot_certificates WHERE ca = $1`, id).Scan(&there); err != nil || there != made {
				t.Fatalf("round %d: %d certificates, want %d (%v)", i, there, made, err)
			}
		}
	})
}
