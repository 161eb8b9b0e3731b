package registry

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/db/dbtest"
)

// authority is somebody's own CA.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  string
}

func newAuthority(t testing.TB, name string, change func(*x509.Certificate)) *authority {
	t.Helper()
	a := &authority{key: curveKey(t, elliptic.P256())}
	a.renew(t, name, change)
	return a
}

// renew gives the CA another certificate for its key.
func (a *authority) renew(t testing.TB, name string, change func(*x509.Certificate)) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key))(t)
	a.cert, a.pem = must(x509.ParseCertificate(der))(t), string(certificatePEM(der))
}

// sign makes a device certificate.
func (a *authority) sign(t testing.TB, name string, key crypto.PublicKey, change func(*x509.Certificate)) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	return string(certificatePEM(must(x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key))(t)))
}

// device is a certificate of a new device.
func (a *authority) device(t testing.TB) string {
	t.Helper()
	return a.sign(t, "device", curveKey(t, elliptic.P256()).Public(), nil)
}

// verification is what a client's account proves to have the CA's key with.
func (a *authority) verification(t testing.TB, c *sdk.Client) *string {
	t.Helper()
	code := must(c.GetRegistrationCode(context.WithoutCancel(t.Context()), &sdk.GetRegistrationCodeInput{}))(t).RegistrationCode
	return str(a.sign(t, *code, a.key.Public(), nil))
}

// register registers the CA for a client's account, active.
func (a *authority) register(t testing.TB, c *sdk.Client, change func(*sdk.RegisterCACertificateInput)) string {
	t.Helper()
	in := &sdk.RegisterCACertificateInput{CaCertificate: &a.pem, VerificationCertificate: a.verification(t, c), SetAsActive: true}
	if change != nil {
		change(in)
	}
	return *must(c.RegisterCACertificate(context.WithoutCancel(t.Context()), in))(t).CertificateId
}

func sniOnly(in *sdk.RegisterCACertificateInput) {
	in.CertificateMode, in.VerificationCertificate = types.CertificateModeSniOnly, nil
}

func automatic(in *sdk.RegisterCACertificateInput) { in.AllowAutoRegistration = true }

func TestRegistrationCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		code := func(c *sdk.Client) string {
			return *must(c.GetRegistrationCode(ctx, &sdk.GetRegistrationCodeInput{}))(t).RegistrationCode
		}
		_, err := w.Client.DeleteRegistrationCode(ctx, &sdk.DeleteRegistrationCodeInput{})
		refused(t, err, "ResourceNotFoundException", 404, "There is no registration code")
		first := code(w.Client)
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(first) || code(w.Client) != first {
			t.Errorf("got %s, then %s", first, code(w.Client))
		}
		if code(w.as(other, region)) == first || code(w.as(account, "eu-west-1")) == first {
			t.Error("another account or region has the same code")
		}
		must(w.Client.DeleteRegistrationCode(ctx, &sdk.DeleteRegistrationCodeInput{}))(t)
		if code(w.Client) == first {
			t.Error("it was not deleted")
		}
	})
}

func TestRegisterCACertificate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ca := newAuthority(t, "factory", nil)
		out := must(w.Client.RegisterCACertificate(ctx, &sdk.RegisterCACertificateInput{
			CaCertificate: &ca.pem, VerificationCertificate: ca.verification(t, w.Client),
			Tags: []types.Tag{{Key: str("team"), Value: str("blue")}},
		}))(t)
		id := CertificateID(ca.cert.Raw)
		if *out.CertificateId != id || *out.CertificateArn != "arn:aws:iot:us-east-1:123456789012:cacert/"+id {
			t.Errorf("got %s %s", *out.CertificateId, *out.CertificateArn)
		}
		d := must(w.Client.DescribeCACertificate(ctx, &sdk.DescribeCACertificateInput{CertificateId: &id}))(t)
		if w.guard.last() != "iot:DescribeCACertificate "+*out.CertificateArn+" map[aws:ResourceTag/team:[blue]]" {
			t.Errorf("authorized %s", w.guard.last())
		}
		c := d.CertificateDescription
		if *c.CertificateId != id || *c.CertificateArn != *out.CertificateArn || *c.CertificatePem != ca.pem || c.Status != "INACTIVE" || c.AutoRegistrationStatus != "DISABLE" ||
			c.CertificateMode != "DEFAULT" || *c.OwnedBy != account || *c.CustomerVersion != 1 || !uuidForm.MatchString(*c.GenerationId) || c.CreationDate == nil || c.LastModifiedDate == nil ||
			!c.Validity.NotBefore.Equal(ca.cert.NotBefore) || !c.Validity.NotAfter.Equal(ca.cert.NotAfter) || d.RegistrationConfig != nil {
			t.Errorf("got %+v %+v", c, d.RegistrationConfig)
		}
		tags := must(w.Client.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: out.CertificateArn}))(t).Tags
		if len(tags) != 1 || *tags[0].Key != "team" {
			t.Errorf("tags %v", tags)
		}
		_, err := w.Client.RegisterCACertificate(ctx, &sdk.RegisterCACertificateInput{CaCertificate: &ca.pem, VerificationCertificate: ca.verification(t, w.Client)})
		refused(t, err, "ResourceAlreadyExistsException", 409, "The CA certificate is already registered")
		if e, ok := errors.AsType[*types.ResourceAlreadyExistsException](err); !ok || *e.ResourceId != id || *e.ResourceArn != *out.CertificateArn {
			t.Errorf("got %+v", e)
		}

		// DEFAULT in one account of a region; SNI_ONLY in all that like.
		stranger := w.as(other, region)
		_, err = stranger.RegisterCACertificate(ctx, &sdk.RegisterCACertificateInput{CaCertificate: &ca.pem, VerificationCertificate: ca.verification(t, stranger)})
		refused(t, err, "ResourceAlreadyExistsException", 409, "registered in certificate mode DEFAULT by another account")
		if strings.Contains(err.Error(), account) {
			t.Errorf("it names the other account: %v", err)
		}
		if got := ca.register(t, stranger, sniOnly); got != id {
			t.Errorf("got %s", got)
		}
		s := must(stranger.DescribeCACertificate(ctx, &sdk.DescribeCACertificateInput{CertificateId: &id}))(t).CertificateDescription
		if s.CertificateMode != "SNI_ONLY" || s.Status != "ACTIVE" || *s.OwnedBy != other {
			t.Errorf("got %+v", s)
		}
		ca.register(t, w.as(other, "eu-west-1"), automatic)

		// Nothing of the stranger's is this account's.
		must(stranger.UpdateCACertificate(ctx, &sdk.UpdateCACertificateInput{CertificateId: &id, NewStatus: "INACTIVE"}))(t)
		must(stranger.DeleteCACertificate(ctx, &sdk.DeleteCACertificateInput{CertificateId: &id}))(t)
		must(w.Client.DescribeCACertificate(ctx, &sdk.DescribeCACertificateInput{CertificateId: &id}))(t)
	})
}

func TestBadCACertificates(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	ctx := t.Context()
	ca, second := newAuthority(t, "factory", nil), newAuthority(t, "factory", nil)
	code := *must(w.Client.GetRegistrationCode(ctx, &sdk.GetRegistrationCodeInput{}))(t).RegistrationCode
	theirs := *must(w.as(other, region).GetRegistrationCode(ctx, &sdk.GetRegistrationCodeInput{}))(t).RegistrationCode
	good := ca.sign(t, code, ca.key.Public(), nil)
	role := "arn:aws:iam::123456789012:role/provisioner"
	const invalid, validation = "InvalidRequestException", "CertificateValidationException"
	mine := func(change func(*x509.Certificate)) *string { return &newAuthority(t, "mine", change).pem }
	for name, c := range map[string]struct {
		change     func(*sdk.RegisterCACertificateInput)
		code, text string
		status     int
	}{
		"no verification": {func(in *sdk.RegisterCACertificateInput) { in.VerificationCertificate = nil }, invalid, "A verification certificate is required in certificate mode DEFAULT", 400},
		"verification of SNI_ONLY": {func(in *sdk.RegisterCACertificateInput) { in.CertificateMode = "SNI_ONLY" }, invalid,
			"A verification certificate must not be given in certificate mode SNI_ONLY", 400},
		"mode":   {func(in *sdk.RegisterCACertificateInput) { in.CertificateMode = "ODD" }, invalid, "certificateMode", 400},
		"no PEM": {func(in *sdk.RegisterCACertificateInput) { in.CaCertificate = str("hello") }, validation, "Invalid CA certificate: it is not in PEM format", 400},
		"no X.509": {func(in *sdk.RegisterCACertificateInput) {
			in.CaCertificate = str(string(certificatePEM([]byte("hello"))))
		}, validation, "could not be parsed", 400},
		"two":   {func(in *sdk.RegisterCACertificateInput) { in.CaCertificate = str(ca.pem + second.pem) }, validation, "there is something after the end", 400},
		"no CA": {func(in *sdk.RegisterCACertificateInput) { in.CaCertificate = &good }, validation, "The CA certificate does not have the basicConstraints extension as true", 400},
		"no signer": {func(in *sdk.RegisterCACertificateInput) {
			in.CaCertificate = mine(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
		}, validation, "keyUsage", 400},
		"no subject": {func(in *sdk.RegisterCACertificateInput) {
			in.CaCertificate = mine(func(c *x509.Certificate) { c.Subject = pkix.Name{} })
		}, validation, "has no subject", 400},
		"expired": {func(in *sdk.RegisterCACertificateInput) {
			in.CaCertificate = mine(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}, validation, "has expired", 400},
		"small key":    {func(in *sdk.RegisterCACertificateInput) { in.CaCertificate = str(selfSigned(t, smallRSA(t), nil)) }, validation, "2048", 400},
		"verification": {func(in *sdk.RegisterCACertificateInput) { in.VerificationCertificate = str("hello") }, validation, "Invalid verification certificate: it is not in PEM", 400},
		"other CA":     {func(in *sdk.RegisterCACertificateInput) { in.CaCertificate = &second.pem }, validation, "The verification certificate is not signed by the CA certificate", 400},
		"self-signed": {func(in *sdk.RegisterCACertificateInput) {
			in.VerificationCertificate = str(selfSigned(t, curveKey(t, elliptic.P256()), func(c *x509.Certificate) { c.Subject.CommonName = code }))
		}, validation, "not signed", 400},
		"old": {func(in *sdk.RegisterCACertificateInput) {
			in.VerificationCertificate = str(ca.sign(t, code, ca.key.Public(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }))
		}, validation, "The verification certificate has expired", 400},
		"no code": {func(in *sdk.RegisterCACertificateInput) {
			in.VerificationCertificate = str(ca.sign(t, "", ca.key.Public(), nil))
		}, "RegistrationCodeValidationException", "is not the registration code", 400},
		"another's code": {func(in *sdk.RegisterCACertificateInput) {
			in.VerificationCertificate = str(ca.sign(t, theirs, ca.key.Public(), nil))
		}, "RegistrationCodeValidationException", "is not the registration code", 400},
		"tags": {func(in *sdk.RegisterCACertificateInput) { in.Tags = []types.Tag{{Key: str("aws:x"), Value: str("")}} }, invalid, "reserved", 400},
		"template": {func(in *sdk.RegisterCACertificateInput) {
			in.RegistrationConfig = &types.RegistrationConfig{TemplateName: str("t")}
		}, "ResourceNotFoundException", "Provisioning template t not found", 404},
		"two templates": {func(in *sdk.RegisterCACertificateInput) {
			in.RegistrationConfig = &types.RegistrationConfig{TemplateName: str("t"), TemplateBody: str("{}")}
		}, invalid, "either templateBody or templateName", 400},
		"no role": {func(in *sdk.RegisterCACertificateInput) {
			in.RegistrationConfig = &types.RegistrationConfig{TemplateBody: str("{}")}
		}, invalid, "roleArn", 400},
		"no JSON": {func(in *sdk.RegisterCACertificateInput) {
			in.RegistrationConfig = &types.RegistrationConfig{TemplateBody: str("x"), RoleArn: &role}
		}, invalid, "not a JSON object", 400},
		"no role ARN": {func(in *sdk.RegisterCACertificateInput) {
			in.RegistrationConfig = &types.RegistrationConfig{RoleArn: str("arn:aws:iam::123456789012:user/x")}
		}, invalid, "Invalid role ARN", 400},
		"another's role": {func(in *sdk.RegisterCACertificateInput) {
			in.RegistrationConfig = &types.RegistrationConfig{RoleArn: str("arn:aws:iam::210987654321:role/x")}
		}, "AccessDeniedException", "Cross-account pass role is not allowed.", 403},
	} {
		in := &sdk.RegisterCACertificateInput{CaCertificate: &ca.pem, VerificationCertificate: &good}
		c.change(in)
		_, err := w.Client.RegisterCACertificate(ctx, in)
		t.Log(name)
		refused(t, err, c.code, c.status, c.text)
	}
	// A certificate that this server issues can not be made to prove anything.
	csr := request(t, curveKey(t, elliptic.P256()), 0)
	out := must(w.Client.CreateCertificateFromCsr(ctx, &sdk.CreateCertificateFromCsrInput{CertificateSigningRequest: &csr}))(t)
	issuer := string(certificatePEM(must(w.Issuer.Certificate(ctx))(t).Raw))
	_, err := w.Client.RegisterCACertificate(ctx, &sdk.RegisterCACertificateInput{CaCertificate: &issuer, VerificationCertificate: out.CertificatePem})
	refused(t, err, "RegistrationCodeValidationException", 400, "")

	must(w.Client.DeleteRegistrationCode(ctx, &sdk.DeleteRegistrationCodeInput{}))(t)
	_, err = w.Client.RegisterCACertificate(ctx, &sdk.RegisterCACertificateInput{CaCertificate: &ca.pem, VerificationCertificate: &good})
	refused(t, err, "RegistrationCodeValidationException", 400, "")
	if list := must(w.Client.ListCACertificates(ctx, &sdk.ListCACertificatesInput{}))(t); len(list.Certificates) != 0 {
		t.Errorf("%d CA certificates", len(list.Certificates))
	}
}

func TestUpdateCACertificate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ca := newAuthority(t, "factory", nil)
		id := ca.register(t, w.Client, nil)
		arn := "arn:aws:iot:us-east-1:123456789012:cacert/" + id
		role, template := "arn:aws:iam::123456789012:role/provisioner", `{"Resources":{}}`
		config := &types.RegistrationConfig{RoleArn: &role, TemplateBody: &template}
		update := func(in *sdk.UpdateCACertificateInput) error {
			in.CertificateId = &id
			_, err := w.Client.UpdateCACertificate(ctx, in)
			return err
		}
		for i, c := range []struct {
			in                  sdk.UpdateCACertificateInput
			code, text          string
			status, auto        string
			version             int32
			configured, passing bool
		}{
			{sdk.UpdateCACertificateInput{}, "", "", "ACTIVE", "DISABLE", 1, false, false},
			{sdk.UpdateCACertificateInput{NewStatus: "ACTIVE", NewAutoRegistrationStatus: "DISABLE"}, "", "", "ACTIVE", "DISABLE", 1, false, false},
			{sdk.UpdateCACertificateInput{NewStatus: "INACTIVE"}, "", "", "INACTIVE", "DISABLE", 2, false, false},
			{sdk.UpdateCACertificateInput{NewStatus: "REGISTER_INACTIVE"}, "InvalidRequestException", "newStatus", "INACTIVE", "DISABLE", 2, false, false},
			{sdk.UpdateCACertificateInput{NewAutoRegistrationStatus: "ON"}, "InvalidRequestException", "newAutoRegistrationStatus", "INACTIVE", "DISABLE", 2, false, false},
			{sdk.UpdateCACertificateInput{NewAutoRegistrationStatus: "ENABLE", RegistrationConfig: config}, "", "", "INACTIVE", "ENABLE", 3, true, true},
			{sdk.UpdateCACertificateInput{NewStatus: "ACTIVE"}, "", "", "ACTIVE", "ENABLE", 4, true, false},
			{sdk.UpdateCACertificateInput{RemoveAutoRegistration: true, NewAutoRegistrationStatus: "ENABLE"}, "InvalidRequestException", "removed and set", "ACTIVE", "ENABLE", 4, true, false},
			{sdk.UpdateCACertificateInput{RemoveAutoRegistration: true, RegistrationConfig: config}, "InvalidRequestException", "removed and set", "ACTIVE", "ENABLE", 4, true, true},
			{sdk.UpdateCACertificateInput{RegistrationConfig: &types.RegistrationConfig{TemplateName: str("t")}}, "ResourceNotFoundException", "template t", "ACTIVE", "ENABLE", 4, true, false},
			{sdk.UpdateCACertificateInput{RemoveAutoRegistration: true}, "", "", "ACTIVE", "DISABLE", 5, false, false},
		} {
			err := update(&c.in)
			want := "iot:UpdateCACertificate " + arn
			if c.passing {
				want += "; iam:PassRole " + role + " map[iam:PassedToService:[iot.amazonaws.com]]"
			}
			if got := w.guard.last(); c.code != "InvalidRequestException" && got != want {
				t.Errorf("step %d: authorized %s", i, got)
			}
			if c.code != "" {
				status := 400
				if c.code == "ResourceNotFoundException" {
					status = 404
				}
				refused(t, err, c.code, status, c.text)
			} else if err != nil {
				t.Fatal(i, err)
			}
			out := must(w.Client.DescribeCACertificate(ctx, &sdk.DescribeCACertificateInput{CertificateId: &id}))(t)
			d := out.CertificateDescription
			if string(d.Status) != c.status || string(d.AutoRegistrationStatus) != c.auto || *d.CustomerVersion != c.version || (out.RegistrationConfig != nil) != c.configured {
				t.Errorf("step %d: got %s %s %d %v", i, d.Status, d.AutoRegistrationStatus, *d.CustomerVersion, out.RegistrationConfig)
			}
			if r := out.RegistrationConfig; r != nil && (*r.RoleArn != role || *r.TemplateBody != template || r.TemplateName != nil) {
				t.Errorf("step %d: got %+v", i, r)
			}
		}
		_, err := w.Client.DeleteCACertificate(ctx, &sdk.DeleteCACertificateInput{CertificateId: &id})
		refused(t, err, "CertificateStateException", 406, "CA certificate must be deactivated (not ACTIVE) before deletion. Id: "+id)
		cert := must(w.Client.RegisterCertificate(ctx, &sdk.RegisterCertificateInput{CertificatePem: str(ca.device(t))}))(t)
		if err := update(&sdk.UpdateCACertificateInput{NewStatus: "INACTIVE"}); err != nil {
			t.Fatal(err)
		}
		must(w.Client.DeleteCACertificate(ctx, &sdk.DeleteCACertificateInput{CertificateId: &id}))(t)
		_, err = w.Client.DeleteCACertificate(ctx, &sdk.DeleteCACertificateInput{CertificateId: &id})
		refused(t, err, "ResourceNotFoundException", 404, id)
		_, err = w.Client.DescribeCACertificate(ctx, &sdk.DescribeCACertificateInput{CertificateId: &id})
		refused(t, err, "ResourceNotFoundException", 404, id)
		refused(t, update(&sdk.UpdateCACertificateInput{NewStatus: "ACTIVE"}), "ResourceNotFoundException", 404, id)
		// The device stays, and knows whence it came.
		d := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: cert.CertificateId}))(t).CertificateDescription
		list := must(w.Client.ListCertificatesByCA(ctx, &sdk.ListCertificatesByCAInput{CaCertificateId: &id}))(t).Certificates
		if *d.CaCertificateId != id || len(list) != 1 {
			t.Errorf("got %+v, and %d by the CA", d, len(list))
		}
		if got := ca.register(t, w.Client, nil); got != id {
			t.Error("it cannot be registered again")
		}
		tags := must(w.Client.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags
		if len(tags) != 0 {
			t.Errorf("tags %v", tags)
		}
	})
}

func TestListCACertificates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var made []string
		for i := range 5 {
			made = append(made, newAuthority(t, fmt.Sprint("factory ", i), nil).register(t, w.Client, sniOnly))
			w.ahead.Add(int64(time.Second))
		}
		newAuthority(t, "elsewhere", nil).register(t, w.as(account, "eu-west-1"), nil)
		for _, ascending := range []bool{true, false} {
			var ids []string
			for p := sdk.NewListCACertificatesPaginator(w.Client, &sdk.ListCACertificatesInput{PageSize: new(int32(2)), AscendingOrder: ascending}); p.HasMorePages(); {
				for _, c := range must(p.NextPage(ctx))(t).Certificates {
					ids = append(ids, *c.CertificateId)
					if c.Status != "ACTIVE" || *c.CertificateArn != "arn:aws:iot:us-east-1:123456789012:cacert/"+*c.CertificateId || c.CreationDate == nil {
						t.Errorf("got %+v", c)
					}
				}
			}
			if !ascending {
				slices.Reverse(ids)
			}
			if !slices.Equal(ids, made) {
				t.Errorf("ascending %t: got %v, want %v", ascending, ids, made)
			}
		}
		for _, list := range []func(marker string) error{
			func(m string) error {
				_, err := w.Client.ListCACertificates(ctx, &sdk.ListCACertificatesInput{Marker: &m})
				return err
			},
			func(m string) error {
				_, err := w.Client.ListCertificatesByCA(ctx, &sdk.ListCertificatesByCAInput{CaCertificateId: &made[0], Marker: &m})
				return err
			},
		} {
			refused(t, list(*cursor{name: "x"}.token("certificates")), "InvalidRequestException", 400, "Invalid token")
		}
		named := must(w.Client.ListCACertificates(ctx, &sdk.ListCACertificatesInput{TemplateName: str("t")}))(t)
		if len(named.Certificates) != 0 {
			t.Errorf("%d CA certificates have a template", len(named.Certificates))
		}
	})
}

// TestSameSubject registers more CAs of one subject at once than there may be.
func TestSameSubject(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var all []*authority
		for range maxSameSubject + 4 {
			all = append(all, newAuthority(t, "factory", nil))
		}
		var group sync.WaitGroup
		errs := make([]error, len(all))
		for i, a := range all {
			group.Go(func() {
				_, errs[i] = w.Client.RegisterCACertificate(t.Context(), &sdk.RegisterCACertificateInput{CaCertificate: &a.pem, CertificateMode: "SNI_ONLY"})
			})
		}
		group.Wait()
		n := 0
		for _, err := range errs {
			if err == nil {
				n++
				continue
			}
			refused(t, err, "LimitExceededException", 410, "At most 10 CA certificates with the same subject")
		}
		if n != maxSameSubject {
			t.Errorf("%d were registered", n)
		}
		newAuthority(t, "another factory", nil).register(t, w.Client, sniOnly)
		all[0].register(t, w.as(account, "eu-west-1"), sniOnly)
	})
}

// TestDefaultIsNotRaced has several accounts register one CA in mode DEFAULT
// at once.
func TestDefaultIsNotRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ca := newAuthority(t, "factory", nil)
		var group sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			c := w.as(fmt.Sprint(100000000000+i), region)
			verification := ca.verification(t, c)
			group.Go(func() {
				_, errs[i] = c.RegisterCACertificate(t.Context(), &sdk.RegisterCACertificateInput{CaCertificate: &ca.pem, VerificationCertificate: verification})
			})
		}
		group.Wait()
		n := 0
		for _, err := range errs {
			if err == nil {
				n++
				continue
			}
			refused(t, err, "ResourceAlreadyExistsException", 409, "")
		}
		if n != 1 {
			t.Errorf("%d accounts have it", n)
		}
	})
}
