package kit

import (
	"bytes"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// rounds is how often passwords are hashed in PKCS #12 files: against guessing,
// at some hundredths of a second.
const rounds = 20_000

// pkcs12 makes the PKCS #12 file: the certificate and its key. Its algorithms,
// 3DES and SHA-1, are those that every Java 8 and every OpenSSL reads. What came
// after them is not read by Java 8 before its update 301; and 40-bit RC2, which
// Java 8 writes itself, not by OpenSSL 3.
func (d *Device) pkcs12() ([]byte, error) {
	return pkcs12.LegacyDES.WithIterations(rounds).Encode(d.Key, d.Certificate, nil, d.Password)
}

// jks makes the Java key store: the device's entry, and the root to trust. It
// has Java's own old format, which Kura's versions and all of Java take, since
// a file named .jks of another format is refused by older ones.
func (d *Device) jks(key []byte) ([]byte, error) {
	store, password := keystore.New(keystore.WithOrderedAliases()), []byte(d.Password)
	err := store.SetPrivateKeyEntry(Alias, keystore.PrivateKeyEntry{
		CreationTime: d.Now, PrivateKey: key,
		CertificateChain: []keystore.Certificate{{Type: "X509", Content: d.Certificate.Raw}},
	}, password)
	if err != nil {
		return nil, err
	}
	err = store.SetTrustedCertificateEntry("root", keystore.TrustedCertificateEntry{
		CreationTime: d.Now, Certificate: keystore.Certificate{Type: "X509", Content: d.Root.Raw},
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := store.Store(&b, password); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
