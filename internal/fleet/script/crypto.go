package script

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/dop251/goja"
	"github.com/google/uuid"
)

const maxRandom = 64 << 10 // bytes that crypto.randomBytes makes at once

// hashes are the digests that scripts can make.
var hashes = map[string]struct {
	make func() hash.Hash
	id   crypto.Hash
}{
	"md5": {md5.New, crypto.MD5}, "sha1": {sha1.New, crypto.SHA1}, "sha256": {sha256.New, crypto.SHA256},
	"sha384": {sha512.New384, crypto.SHA384}, "sha512": {sha512.New, crypto.SHA512},
}

// cryptoMembers is crypto. Its keys and random bytes are truly random, unlike
// those of chance: a run's seed must not give its devices' keys away.
var cryptoMembers = members{
	"md5": digest("md5"), "sha1": digest("sha1"), "sha256": digest("sha256"), "sha384": digest("sha384"), "sha512": digest("sha512"),
	"hmac": native(hmacOf),
	"randomBytes": native(func(d *Device, c goja.FunctionCall) goja.Value {
		n := c.Argument(0).ToInteger()
		if n < 0 || n > maxRandom {
			d.throw("RangeError", "crypto.randomBytes makes 0 to %d bytes at once", maxRandom)
		}
		b := make([]byte, n)
		_, _ = rand.Read(b) // it never fails
		return d.buffer(b)
	}),
	"randomUUID":  native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(uuid.NewString()) }),
	"generateKey": native(generateKey),
	"generateCSR": native(generateCSR),
	"sign":        native(sign),
	"verify":      native(verify),
}

// output is bytes in the encoding of an argument; a Buffer if it is null.
func (d *Device) output(b []byte, encoding goja.Value, otherwise string) goja.Value {
	switch {
	case goja.IsNull(encoding):
		return d.buffer(b)
	case goja.IsUndefined(encoding):
		return d.vm.ToValue(toText(b, otherwise))
	}
	return d.vm.ToValue(toText(b, d.encoding(encoding)))
}

// digest is crypto.sha256(data[, encoding]): hex, unless said otherwise.
func digest(name string) native {
	return func(d *Device, c goja.FunctionCall) goja.Value {
		h := hashes[name].make()
		h.Write(d.data("crypto."+name+": what is digested", c.Argument(0)))
		return d.output(h.Sum(nil), c.Argument(1), "hex")
	}
}

// hmacOf is crypto.hmac(algorithm, key, data[, encoding]).
func hmacOf(d *Device, c goja.FunctionCall) goja.Value {
	h, ok := hashes[strings.ToLower(strings.ReplaceAll(c.Argument(0).String(), "-", ""))]
	if !ok {
		d.throw("TypeError", "crypto.hmac: %s is no digest: md5, sha1, sha256, sha384 and sha512 are", shown(c.Argument(0)))
	}
	m := hmac.New(h.make, d.data("crypto.hmac: the key", c.Argument(1)))
	m.Write(d.data("crypto.hmac: what is authenticated", c.Argument(2)))
	return d.output(m.Sum(nil), c.Argument(3), "hex")
}

// curves are those whose keys AWS IoT takes.
var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// newKey makes a key: {curve} is P-256 unless said otherwise.
func (d *Device) newKey(function string, o *goja.Object) *ecdsa.PrivateKey {
	name := d.text(o, "curve", "P-256")
	curve, ok := curves[name]
	if !ok {
		d.throw("TypeError", "%s: %q is no curve: P-256, P-384 and P-521 are", function, name)
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		d.throwHost(err)
	}
	return key
}

func (d *Device) pemOf(kind string, der []byte, err error) string {
	if err != nil {
		d.throwHost(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (d *Device) keyPEM(key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalECPrivateKey(key)
	return d.pemOf("EC PRIVATE KEY", der, err)
}

func (d *Device) publicPEM(key crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return d.pemOf("PUBLIC KEY", der, err)
}

// generateKey([{curve}]) is {key, publicKey}, PEM.
func generateKey(d *Device, c goja.FunctionCall) goja.Value {
	key := d.newKey("crypto.generateKey", d.options("crypto.generateKey", c.Argument(0)))
	o := d.vm.NewObject()
	d.set(o, "key", d.vm.ToValue(d.keyPEM(key)))
	d.set(o, "publicKey", d.vm.ToValue(d.publicPEM(key)))
	return o
}

// generateCSR({commonName, organization, …, key, curve}) is {key, csr}, PEM: a
// certificate signing request of the key, or of a new one.
func generateCSR(d *Device, c goja.FunctionCall) goja.Value {
	const function = "crypto.generateCSR"
	o := d.options(function, c.Argument(0))
	var signer crypto.Signer
	text := d.text(o, "key", "")
	if text == "" {
		key := d.newKey(function, o)
		signer, text = key, d.keyPEM(key)
	} else {
		signer = d.privateKey(function, text)
	}
	subject := pkix.Name{CommonName: d.text(o, "commonName", fmt.Sprintf("device-%d", d.info.Client)), SerialNumber: d.text(o, "serialNumber", "")}
	for name, into := range map[string]*[]string{
		"organization": &subject.Organization, "organizationalUnit": &subject.OrganizationalUnit, "country": &subject.Country,
		"state": &subject.Province, "locality": &subject.Locality,
	} {
		if v := d.text(o, name, ""); v != "" {
			*into = []string{v}
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, signer)
	result := d.vm.NewObject()
	d.set(result, "csr", d.vm.ToValue(d.pemOf("CERTIFICATE REQUEST", der, err)))
	d.set(result, "key", d.vm.ToValue(text))
	return result
}

// privateKey reads a key in PEM.
func (d *Device) privateKey(function, text string) crypto.Signer {
	key, err := readKey(text)
	if err != nil {
		d.throw("TypeError", "%s: %v", function, err)
	}
	return key
}

func readKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key is no PEM")
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the key is neither an EC nor an RSA key")
	}
	if signer, ok := key.(crypto.Signer); ok {
		return signer, nil
	}
	return nil, errors.New("the key cannot sign")
}

// signing is the digest that {hash} of sign and verify names.
func (d *Device) signing(function string, v goja.Value, data []byte) (crypto.Hash, []byte) {
	name := d.text(d.options(function, v), "hash", "sha256")
	h, ok := hashes[strings.ToLower(strings.ReplaceAll(name, "-", ""))]
	if !ok || h.id == crypto.MD5 {
		d.throw("TypeError", "%s: %q is no digest to sign: sha1, sha256, sha384 and sha512 are", function, name)
	}
	sum := h.make()
	sum.Write(data)
	return h.id, sum.Sum(nil)
}

// sign(key, data[, {hash, encoding}]) is a signature in base64: PKCS #1 v1.5
// of an RSA key, ASN.1 of an EC key.
func sign(d *Device, c goja.FunctionCall) goja.Value {
	const function = "crypto.sign"
	key := d.privateKey(function, c.Argument(0).String())
	id, sum := d.signing(function, c.Argument(2), d.data(function+": what is signed", c.Argument(1)))
	signature, err := key.Sign(rand.Reader, sum, id)
	if err != nil {
		d.throwHost(err)
	}
	encoding := goja.Undefined()
	if o := d.options(function, c.Argument(2)); o != nil && o.Get("encoding") != nil {
		encoding = o.Get("encoding")
	}
	return d.output(signature, encoding, "base64")
}

// verify(publicKey | certificate, data, signature[, {hash, encoding}]) tells
// whether a signature is the key's.
func verify(d *Device, c goja.FunctionCall) goja.Value {
	const function = "crypto.verify"
	id, sum := d.signing(function, c.Argument(3), d.data(function+": what was signed", c.Argument(1)))
	signature, ok := raw(c.Argument(2))
	if !ok {
		encoding := d.text(d.options(function, c.Argument(3)), "encoding", "base64")
		signature = d.decoded(c.Argument(2).String(), d.encoding(d.vm.ToValue(encoding)))
	}
	key, err := readPublicKey(c.Argument(0).String())
	if err != nil {
		d.throw("TypeError", "%s: %v", function, err)
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, id, sum, signature) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, sum, signature)
	default:
		ok = false
	}
	return d.vm.ToValue(ok)
}

func readPublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode(bytes.TrimSpace([]byte(text)))
	if block == nil {
		return nil, errors.New("the key is no PEM")
	}
	if block.Type == "CERTIFICATE" {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}
