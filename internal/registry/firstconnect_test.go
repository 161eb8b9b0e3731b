package registry

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"regexp"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// events notes what is published.
type events struct {
	mu   sync.Mutex
	all  []event
	fail error
}

type event struct{ account, region, topic, payload string }

func (e *events) Publish(_ context.Context, account, region, topic string, payload []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event{account, region, topic, string(payload)})
	return e.fail
}

func (e *events) take() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

func chainOf(t testing.TB, texts ...string) (chain []*x509.Certificate) {
	t.Helper()
	for _, text := range texts {
		chain = append(chain, must(parseStored([]byte(text)))(t))
	}
	return chain
}

// connect is a device's connection without a server name of AWS's form.
func (w *world) connect(t testing.TB, texts ...string) *Certificate {
	t.Helper()
	c, ok, err := w.FirstConnect(t.Context(), chainOf(t, texts...), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if ok != (c != nil) {
		t.Errorf("got %v %t", c, ok)
	}
	return c
}

func TestFirstConnect(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, published := t.Context(), &events{}
		w.Events = published
		ca := newAuthority(t, "factory", nil)
		caID := ca.register(t, w.Client, automatic)
		device := ca.device(t)
		id := CertificateID(chainOf(t, device)[0].Raw)

		before := w.now()
		c := w.connect(t, device)
		if c == nil || c.ID != id || c.Account != account || c.Region != region || c.Status != "PENDING_ACTIVATION" || c.Active(w.Now()) || !c.Issued {
			t.Fatalf("got %+v", c)
		}
		d := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &id}))(t).CertificateDescription
		if d.Status != "PENDING_ACTIVATION" || *d.CaCertificateId != caID || d.CertificateMode != "DEFAULT" || *d.CertificatePem != device {
			t.Errorf("got %+v", d)
		}
		all := published.take()
		form := regexp.MustCompile(`^\{"certificateId":"` + id + `","caCertificateId":"` + caID + `","timestamp":[0-9]{13},"certificateStatus":"PENDING_ACTIVATION",` +
			`"awsAccountId":"123456789012","certificateRegistrationTimestamp":"[0-9]{13}"\}$`)
		if len(all) != 1 || all[0].account != account || all[0].region != region || all[0].topic != "$aws/events/certificates/registered/"+caID || !form.MatchString(all[0].payload) {
			t.Fatalf("published %+v", all)
		}
		var told registered
		if err := json.Unmarshal([]byte(all[0].payload), &told); err != nil || told.Timestamp < before || told.Timestamp > w.now() {
			t.Errorf("got %+v, %v", told, err)
		}

		// Again while it waits, and no more when it is decided on.
		if c := w.connect(t, device, ca.pem); c == nil || c.Status != "PENDING_ACTIVATION" || len(published.take()) != 1 {
			t.Errorf("got %+v", c)
		}
		if list := must(w.Client.ListCertificatesByCA(ctx, &sdk.ListCertificatesByCAInput{CaCertificateId: &caID}))(t); len(list.Certificates) != 1 {
			t.Errorf("%d certificates", len(list.Certificates))
		}
		for _, status := range []string{"INACTIVE", "ACTIVE", "REVOKED"} {
			must(w.Client.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: types.CertificateStatus(status)}))(t)
			if c := w.connect(t, device); c == nil || c.Status != status || c.Active(w.Now()) != (status == "ACTIVE") || len(published.take()) != 0 {
				t.Errorf("%s: got %+v", status, c)
			}
		}
		// Without somebody to tell it is registered all the same.
		w.Events = nil
		if c := w.connect(t, ca.device(t)); c == nil || c.Status != "PENDING_ACTIVATION" {
			t.Errorf("got %+v", c)
		}
		// Who cannot be told will be at the next attempt.
		w.Events = published
		published.fail = errors.New("broken")
		device = ca.device(t)
		if _, _, err := w.FirstConnect(ctx, chainOf(t, device), "localhost"); !errors.Is(err, published.fail) {
			t.Errorf("got %v", err)
		}
		published.fail = nil
		published.take()
		if c := w.connect(t, device); c == nil || len(published.take()) != 1 {
			t.Errorf("got %+v", c)
		}
		if _, ok, err := w.FirstConnect(ctx, nil, "localhost"); ok || err != nil {
			t.Error("a connection without a certificate", ok, err)
		}
	})
}

// TestFirstConnectOfStrangers are connections that register nothing.
func TestFirstConnectOfStrangers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, published := t.Context(), &events{}
		w.Events = published
		ca, soon := newAuthority(t, "factory", nil), newAuthority(t, "soon", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(30 * time.Minute) })
		caID := ca.register(t, w.Client, automatic)
		soon.register(t, w.Client, automatic)
		sleeping, manual, named := newAuthority(t, "sleeping", nil), newAuthority(t, "manual", nil), newAuthority(t, "named", nil)
		sleeping.register(t, w.Client, func(in *sdk.RegisterCACertificateInput) { in.SetAsActive, in.AllowAutoRegistration = false, true })
		manual.register(t, w.Client, nil)
		named.register(t, w.Client, func(in *sdk.RegisterCACertificateInput) { sniOnly(in); automatic(in) })
		forger := newAuthority(t, "factory", nil)
		keyForger := newAuthority(t, "factory", nil)
		keyForger.cert.SubjectKeyId = ca.cert.SubjectKeyId
		late := soon.sign(t, "d", curveKey(t, elliptic.P256()).Public(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(24 * time.Hour) })
		for name, text := range map[string]string{
			"unknown CA":   newAuthority(t, "unknown", nil).device(t),
			"forged":       forger.device(t),
			"forged key":   keyForger.device(t),
			"sleeping CA":  sleeping.device(t),
			"no auto":      manual.device(t),
			"SNI_ONLY":     named.device(t), // which needs a name
			"expired":      ca.sign(t, "d", curveKey(t, elliptic.P256()).Public(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
			"not yet":      ca.sign(t, "d", curveKey(t, elliptic.P256()).Public(), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }),
			"small key":    ca.sign(t, "d", smallRSA(t).Public(), nil),
			"the CA alone": newAuthority(t, "factory", nil).pem,
		} {
			if c := w.connect(t, text, ca.pem); c != nil {
				t.Errorf("%s: got %+v", name, c)
			}
		}
		w.ahead.Store(int64(time.Hour))
		if c := w.connect(t, late); c != nil {
			t.Errorf("expired CA: got %+v", c)
		}
		w.ahead.Store(0)
		must(w.Client.UpdateCACertificate(ctx, &sdk.UpdateCACertificateInput{CertificateId: &caID, NewAutoRegistrationStatus: "DISABLE"}))(t)
		if c := w.connect(t, ca.device(t)); c != nil {
			t.Errorf("disabled: got %+v", c)
		}
		if list := must(w.Client.ListCertificates(ctx, &sdk.ListCertificatesInput{}))(t); len(list.Certificates) != 0 || len(published.take()) != 0 {
			t.Errorf("%d certificates", len(list.Certificates))
		}
	})
}

// TestFirstConnectByName: a server name of AWS's form decides on the account.
func TestFirstConnectByName(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.Service.Endpoints.AWSNames = true
		ca := newAuthority(t, "factory", nil)
		ca.register(t, w.Client, automatic)
		ca.register(t, w.as(other, region), func(in *sdk.RegisterCACertificateInput) { sniOnly(in); automatic(in) })
		name := func(account string) string {
			return *must(w.as(account, region).DescribeEndpoint(ctx, &sdk.DescribeEndpointInput{EndpointType: str("iot:Data-ATS")}))(t).EndpointAddress
		}
		device := chainOf(t, ca.device(t))
		for _, who := range []string{other, account} {
			c, ok, err := w.FirstConnect(ctx, device, name(who))
			if err != nil || !ok || c.Account != who || c.Issued != (who == account) || c.Status != "PENDING_ACTIVATION" {
				t.Errorf("%s: got %+v %t %v", who, c, ok, err)
			}
		}
		third := "333333333333"
		for _, server := range []string{name(third), "aunknown123456-ats.iot.us-east-1.amazonaws.com"} {
			if c, ok, err := w.FirstConnect(ctx, device, server); ok || err != nil {
				t.Errorf("%s: got %+v %v", server, c, err)
			}
		}
	})
}

// TestFirstConnectIsNotTakenOver: who has the text of a certificate and registers it
// in an account of his own does not get the device of the CA's owner.
func TestFirstConnectIsNotTakenOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ca := newAuthority(t, "factory", nil)
		device := ca.device(t)
		must(w.as(other, region).RegisterCertificateWithoutCA(ctx, &sdk.RegisterCertificateWithoutCAInput{CertificatePem: &device, Status: "ACTIVE"}))(t)
		if c := w.connect(t, device); c == nil || c.Account != other {
			t.Errorf("got %+v", c) // nobody has a better claim yet
		}
		ca.register(t, w.Client, automatic)
		if c := w.connect(t, device); c == nil || c.Account != account || c.Status != "PENDING_ACTIVATION" {
			t.Errorf("got %+v", c)
		}
	})
}

// TestFirstConnectAtOnce has a device connect many times at once.
func TestFirstConnectAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		published := &events{}
		w.Events = published
		ca := newAuthority(t, "factory", nil)
		oldPEM := ca.pem
		first := ca.register(t, w.Client, automatic)
		ca.renew(t, "factory", nil)
		w.ahead.Add(int64(time.Second))
		second := ca.register(t, w.Client, automatic)
		for pem, caID := range map[string]string{"": first, oldPEM: first, ca.pem: second} {
			texts := []string{ca.device(t)}
			if pem != "" {
				texts = append(texts, pem)
			}
			chain := chainOf(t, texts...)
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					c, ok, err := w.FirstConnect(t.Context(), chain, "")
					if err != nil || !ok || c.Status != "PENDING_ACTIVATION" {
						t.Errorf("got %+v %t %v", c, ok, err)
					}
				})
			}
			group.Wait()
			for _, e := range published.take() {
				if e.topic != registeredTopic+caID {
					t.Errorf("published on %s, want %s", e.topic, caID)
				}
			}
		}
		list := must(w.Client.ListCertificates(t.Context(), &sdk.ListCertificatesInput{}))(t)
		if len(list.Certificates) != 3 {
			t.Errorf("%d certificates", len(list.Certificates))
		}
	})
}
