package registry

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/netip"

	"github.com/thingd/thingd/internal/policy"
)

// attributeNames are the attributes of distinguished names that IoT policies
// know, by object identifier (RFC 4519, RFC 5280 appendix A.1).
var attributeNames = map[string]string{
	"2.5.4.46": "DistinguishedNameQualifier",
	"2.5.4.6":  "Country",
	"2.5.4.10": "Organization",
	"2.5.4.11": "OrganizationalUnit",
	"2.5.4.8":  "State",
	"2.5.4.3":  "CommonName",
	"2.5.4.5":  "SerialNumber",
	"2.5.4.12": "Title",
	"2.5.4.4":  "Surname",
	"2.5.4.42": "GivenName",
	"2.5.4.43": "Initials",
	"2.5.4.65": "Pseudonym",
	"2.5.4.44": "GenerationQualifier",
}

// certificateKeys makes the policy variables of a certificate.
func certificateKeys(id string, c *x509.Certificate) policy.Keys {
	subject, issuer := names(c.Subject), names(c.Issuer)
	alternativeNames(c, oidSubjectAltName, subject)
	alternativeNames(c, oidIssuerAltName, issuer)
	return policy.CertificateKeys(id, c.SerialNumber.String(), subject, issuer)
}

func names(n pkix.Name) policy.CertificateNames {
	out := policy.CertificateNames{}
	for _, a := range n.Names {
		if name, ok := attributeNames[a.Type.String()]; ok {
			out[name] = append(out[name], fmt.Sprint(a.Value))
		}
	}
	return out
}

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidIssuerAltName  = asn1.ObjectIdentifier{2, 5, 29, 18}
)

// alternativeNames adds the entries of an extension of GeneralNames (RFC 5280
// §4.2.1.6). What cannot be read gives no variables.
func alternativeNames(c *x509.Certificate, oid asn1.ObjectIdentifier, out policy.CertificateNames) {
	for _, e := range c.Extensions {
		if !e.Id.Equal(oid) {
			continue
		}
		var seq asn1.RawValue
		if rest, err := asn1.Unmarshal(e.Value, &seq); err != nil || len(rest) > 0 || seq.Tag != asn1.TagSequence {
			return
		}
		for rest := seq.Bytes; len(rest) > 0; {
			var v asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &v); err != nil {
				return
			}
			if v.Class == asn1.ClassContextSpecific {
				generalName(v, out)
			}
		}
	}
}

func generalName(v asn1.RawValue, out policy.CertificateNames) {
	add := func(name, value string) {
		out["AlternativeName."+name] = append(out["AlternativeName."+name], value)
	}
	switch v.Tag {
	case 1:
		add("RFC822Name", string(v.Bytes))
	case 2:
		add("DNSName", string(v.Bytes))
	case 4:
		var rdn pkix.RDNSequence
		if _, err := asn1.Unmarshal(v.Bytes, &rdn); err == nil {
			add("DirectoryName", rdn.String())
		}
	case 6:
		add("UniformResourceIdentifier", string(v.Bytes))
	case 7:
		if ip := ipAddress(v.Bytes); ip != "" {
			add("IPAddress", ip)
		}
	}
}

func ipAddress(b []byte) string {
	ip, ok := netip.AddrFromSlice(b)
	if !ok {
		return ""
	}
	return ip.String()
}
