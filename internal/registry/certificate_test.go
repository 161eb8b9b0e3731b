package registry

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/db"
)

func TestCreateKeysAndCertificate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		out := must(w.Client.CreateKeysAndCertificate(ctx, &sdk.CreateKeysAndCertificateInput{SetAsActive: true}))(t)
		block, rest := pem.Decode([]byte(*out.CertificatePem))
		if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 || !strings.HasSuffix(*out.CertificatePem, "-----\n") {
			t.Fatalf("got %q", *out.CertificatePem)
		}
		sum := sha256.Sum256(block.Bytes)
		if id := hex.EncodeToString(sum[:]); *out.CertificateId != id || *out.CertificateArn != "arn:aws:iot:us-east-1:123456789012:cert/"+id {
			t.Errorf("got %s %s", *out.CertificateId, *out.CertificateArn)
		}
		cert := must(x509.ParseCertificate(block.Bytes))(t)
		if s := cert.Subject.String(); s != "CN=AWS IoT Certificate" {
			t.Errorf("subject %s", s)
		}
		if s := cert.Issuer.String(); s != `OU=Amazon Web Services O\=Amazon.com Inc. L\=Seattle ST\=Washington C\=US` && s != `OU=Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US` {
			t.Errorf("issuer %s", s)
		}
		if cert.NotAfter.Format(time.RFC3339) != "2049-12-31T23:59:59Z" || time.Since(cert.NotBefore) < time.Minute || time.Since(cert.NotBefore) > 4*time.Minute {
			t.Errorf("valid from %s to %s", cert.NotBefore, cert.NotAfter)
		}
		if cert.Version != 3 || cert.SignatureAlgorithm != x509.SHA256WithRSA || cert.KeyUsage != x509.KeyUsageDigitalSignature || len(cert.ExtKeyUsage) > 0 ||
			cert.IsCA || !cert.BasicConstraintsValid || len(cert.SubjectKeyId) != 20 || len(cert.AuthorityKeyId) != 20 || cert.SerialNumber.Sign() <= 0 || cert.SerialNumber.BitLen() > 159 {
			t.Errorf("got %+v", cert)
		}
		var critical []string
		for _, e := range cert.Extensions {
			if e.Critical {
				critical = append(critical, e.Id.String())
			}
		}
		if slices.Sort(critical); !slices.Equal(critical, []string{"2.5.29.15", "2.5.29.19"}) || len(cert.Extensions) != 4 {
			t.Errorf("critical extensions %v of %d", critical, len(cert.Extensions))
		}

		private, _ := pem.Decode([]byte(*out.KeyPair.PrivateKey))
		public, _ := pem.Decode([]byte(*out.KeyPair.PublicKey))
		if private.Type != "RSA PRIVATE KEY" || public.Type != "PUBLIC KEY" {
			t.Fatalf("got %s and %s", private.Type, public.Type)
		}
		key := must(x509.ParsePKCS1PrivateKey(private.Bytes))(t)
		if pub := must(x509.ParsePKIXPublicKey(public.Bytes))(t); key.N.BitLen() != 2048 || !key.PublicKey.Equal(pub) || !key.PublicKey.Equal(cert.PublicKey) {
			t.Error("keys and certificate do not belong together")
		}

		issuer := must(w.Issuer.Certificate(ctx))(t)
		roots := x509.NewCertPool()
		roots.AddCert(issuer)
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Error(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
			t.Error("the certificate is good for servers")
		}
		verifyWithOpenSSL(t, issuer.Raw, block.Bytes, *out.KeyPair.PrivateKey)

		got := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: out.CertificateId}))(t).CertificateDescription
		if *got.CertificatePem != *out.CertificatePem || got.Status != types.CertificateStatusActive || *got.OwnedBy != account || *got.CustomerVersion != 1 ||
			got.CertificateMode != types.CertificateModeDefault || got.CaCertificateId != nil || got.PreviousOwnedBy != nil || got.TransferData == nil || !uuidForm.MatchString(*got.GenerationId) ||
			!got.Validity.NotAfter.Equal(cert.NotAfter) || !got.Validity.NotBefore.Equal(cert.NotBefore) || *got.CertificateArn != *out.CertificateArn {
			t.Errorf("got %+v", got)
		}
		passive := must(w.Client.CreateKeysAndCertificate(ctx, &sdk.CreateKeysAndCertificateInput{}))(t)
		d := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: passive.CertificateId}))(t)
		if d.CertificateDescription.Status != types.CertificateStatusInactive {
			t.Errorf("status %s", d.CertificateDescription.Status)
		}
		var count int64
		private2 := strings.Split(*out.KeyPair.PrivateKey, "\n")[1]
		if err := w.DB.QueryRow(ctx, `SELECT COUNT(*) FROM iot_certificates WHERE pem LIKE $1`, "%"+private2+"%").Scan(&count); err != nil || count != 0 {
			t.Errorf("%d rows hold the private key, %v", count, err)
		}
	})
}

// verifyWithOpenSSL has another implementation check a certificate and its key.
func verifyWithOpenSSL(t *testing.T, issuer, cert []byte, key string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("no openssl")
		return
	}
	dir := t.TempDir()
	path := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	ca, leaf, private := path("ca.pem", string(certificatePEM(issuer))), path("cert.pem", string(certificatePEM(cert))), path("key.pem", key)
	for _, args := range [][]string{
		{"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca, leaf},
		{"pkcs8", "-topk8", "-inform", "PEM", "-outform", "PEM", "-in", private, "-out", filepath.Join(dir, "out.pem"), "-nocrypt"},
		{"pkcs12", "-export", "-in", leaf, "-inkey", private, "-name", "aws-ssl", "-out", filepath.Join(dir, "out.p12"), "-passout", "pass:x"},
	} {
		if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
			t.Errorf("openssl %s: %v: %s", args[0], err, out)
		}
	}
}

func TestCertificateStatus(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, cert := w.certificate()
		set := func(status types.CertificateStatus) error {
			_, err := w.Client.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: status})
			return err
		}
		describe := func() *types.CertificateDescription {
			return must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &id}))(t).CertificateDescription
		}
		remove := func(force bool) error {
			_, err := w.Client.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id, ForceDelete: force})
			return err
		}
		refused(t, remove(true), "CertificateStateException", 406, "Certificate must be deactivated (not ACTIVE) before deletion. Id: "+id)
		for i, step := range []struct {
			to      types.CertificateStatus
			code    string
			status  int
			after   types.CertificateStatus
			version int32
		}{
			{"ACTIVE", "", 0, "ACTIVE", 1},
			{"PENDING_TRANSFER", "InvalidRequestException", 400, "ACTIVE", 1},
			{"PENDING_ACTIVATION", "InvalidRequestException", 400, "ACTIVE", 1},
			{"REGISTER_INACTIVE", "InvalidRequestException", 400, "ACTIVE", 1},
			{"ASLEEP", "InvalidRequestException", 400, "ACTIVE", 1},
			{"INACTIVE", "", 0, "INACTIVE", 2},
			{"INACTIVE", "", 0, "INACTIVE", 2},
			{"ACTIVE", "", 0, "ACTIVE", 3},
			{"REVOKED", "", 0, "REVOKED", 4},
			{"REVOKED", "", 0, "REVOKED", 4},
			{"ACTIVE", "CertificateStateException", 406, "REVOKED", 4},
			{"INACTIVE", "CertificateStateException", 406, "REVOKED", 4},
		} {
			before := describe()
			err := set(step.to)
			if step.code != "" {
				refused(t, err, step.code, step.status, "")
			} else if err != nil {
				t.Fatal(i, err)
			}
			after := describe()
			if after.Status != step.after || *after.CustomerVersion != step.version {
				t.Errorf("step %d: %s, version %d", i, after.Status, *after.CustomerVersion)
			}
			if changed := *before.GenerationId != *after.GenerationId; changed != (*before.CustomerVersion != *after.CustomerVersion) {
				t.Errorf("step %d: generation changed: %t", i, changed)
			}
		}
		w.policy("p")
		w.thing("cam1")
		must(w.Client.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: &cert}))(t)
		must(w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("cam1"), Principal: &cert}))(t)
		refused(t, remove(true), "DeleteConflictException", 409, "Things must be detached before deletion (arn: "+cert+")")
		must(w.Client.DetachThingPrincipal(ctx, &sdk.DetachThingPrincipalInput{ThingName: str("cam1"), Principal: &cert}))(t)
		refused(t, remove(false), "DeleteConflictException", 409, "Certificate policies must be detached before deletion (arn: "+cert+")")
		if err := remove(true); err != nil {
			t.Fatal(err)
		}
		must(w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("p")}))(t)
		refused(t, remove(false), "ResourceNotFoundException", 404, id)
		refused(t, set("ACTIVE"), "ResourceNotFoundException", 404, id)
		_, err := w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &id})
		refused(t, err, "ResourceNotFoundException", 404, id)
	})
}

// TestEveryTransition sets every status from every other, and deletes (AWS IoT
// API Reference, UpdateCertificate and DeleteCertificate; certificates.md §4).
func TestEveryTransition(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, _ := w.certificate()
		is := func(status types.CertificateStatus) {
			t.Helper()
			err := w.write(ctx, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE iot_certificates SET status = $1 WHERE id = $2`, string(status), id)
				return err
			}, certificateKey(id))
			if err != nil {
				t.Fatal(err)
			}
		}
		final := map[types.CertificateStatus]bool{"REVOKED": true, "PENDING_TRANSFER": true}
		for _, from := range types.CertificateStatus("").Values() {
			for _, to := range types.CertificateStatus("").Values() {
				is(from)
				_, err := w.Client.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: to})
				want := to
				switch {
				case to != "ACTIVE" && to != "INACTIVE" && to != "REVOKED":
					want = from
					refused(t, err, "InvalidRequestException", 400, "A certificate's status can not be set to "+string(to))
				case from != to && final[from]:
					want = from
					refused(t, err, "CertificateStateException", 406, "The status of a certificate that is "+string(from)+" can not be changed. Id: "+id)
				case err != nil:
					t.Errorf("from %s to %s: %v", from, to, err)
				}
				got := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: &id}))(t).CertificateDescription
				c, _, err := w.CertificateByID(ctx, id, "")
				if got.Status != want || err != nil || c.Status != string(want) {
					t.Errorf("from %s to %s: it is %s, to devices %s (%v)", from, to, got.Status, c.Status, err)
				}
			}
		}
		for _, status := range types.CertificateStatus("").Values() {
			is(status)
			_, err := w.Client.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id})
			switch status {
			case "ACTIVE":
				refused(t, err, "CertificateStateException", 406, "Certificate must be deactivated (not ACTIVE) before deletion. Id: "+id)
			case "PENDING_TRANSFER":
				refused(t, err, "CertificateStateException", 406, "Certificate must not be in transfer before deletion. Id: "+id)
			default:
				if err != nil {
					t.Errorf("delete one that is %s: %v", status, err)
				}
				id, _ = w.certificate()
			}
		}
	})
}

func TestListCertificates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var made []string
		for range 3 {
			id, _ := w.certificate()
			made = append(made, id)
			w.ahead.Add(int64(time.Second))
		}
		for _, ascending := range []bool{true, false} {
			var ids []string
			for p := sdk.NewListCertificatesPaginator(w.Client, &sdk.ListCertificatesInput{PageSize: new(int32(2)), AscendingOrder: ascending}); p.HasMorePages(); {
				for _, c := range must(p.NextPage(ctx))(t).Certificates {
					ids = append(ids, *c.CertificateId)
					if c.Status != "ACTIVE" || c.CertificateMode != "DEFAULT" || !strings.HasSuffix(*c.CertificateArn, *c.CertificateId) || c.CreationDate == nil {
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
	})
}

// selfSigned makes a certificate for key.
func selfSigned(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "mine"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	return string(certificatePEM(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)))
}

func smallRSA(t testing.TB) *rsa.PrivateKey {
	return must(rsa.GenerateKey(rand.Reader, 1024))(t)
}
