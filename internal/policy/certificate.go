package policy

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxCertificateValue is the longest attribute value that is substituted
	// for a variable.
	maxCertificateValue = 1024
	// maxCertificateItems is how many values of one attribute count.
	maxCertificateItems = 5

	subjectPrefix = "iot:Certificate.Subject."
	issuerPrefix  = "iot:Certificate.Issuer."
)

// CertificateNames are the attributes of a certificate's subject or issuer:
// under the names of CertificateAttributes the values in the order in which
// the certificate has them.
type CertificateNames map[string][]string

// CertificateAttributes are the attributes that AWS IoT knows, as they follow
// iot:Certificate.Subject. and iot:Certificate.Issuer. in key names (IoT
// guide, "X.509 certificate AWS IoT Core policy variables").
func CertificateAttributes() []string {
	return []string{
		"DistinguishedNameQualifier", "Country", "Organization", "OrganizationalUnit", "State", "CommonName",
		"SerialNumber", "Title", "Surname", "GivenName", "Initials", "Pseudonym", "GenerationQualifier",
		"AlternativeName.RFC822Name", "AlternativeName.DNSName", "AlternativeName.DirectoryName",
		"AlternativeName.UniformResourceIdentifier", "AlternativeName.IPAddress",
	}
}

// CertificateKeys makes the context keys of a device certificate: its id, its
// serial number, and for each attribute of subject and issuer the bare name
// for the first value, the suffixes .0 to .4 for the values by number, and
// .List for all; further values do not count. iot:Certificate.AvailableKeys
// names all that came of it. The characters , " \ + = < > ; stand behind a
// backslash. Attributes of other names are passed over.
func CertificateKeys(id, serial string, subject, issuer CertificateNames) Keys {
	b := certificateKeys{}
	b.add(subjectPrefix, subject)
	b.add(issuerPrefix, issuer)
	if serial != "" {
		b.single("iot:Certificate.SerialNumber", serial)
	}
	keys := b.keys
	if len(b.names) > 0 {
		keys = append(keys, Multi("iot:Certificate.AvailableKeys", slices.Clone(b.names)...))
	}
	if id != "" {
		keys = append(keys, Single("iot:CertificateId", id))
	}
	return slices.Clone(keys) // without room to grow: there are as many as devices
}

type certificateKeys struct {
	keys  Keys
	names []string
}

func (b *certificateKeys) single(name, value string) {
	b.keys = append(b.keys, Single(name, value))
	b.names = append(b.names, name)
}

// certificateName is the names of an attribute's keys.
type certificateName struct {
	bare, list string
	items      [maxCertificateItems]string
}

// certificateNames are those of all keys, made once: what is known of a device
// has no names of its own.
var certificateNames = sync.OnceValue(func() map[string]certificateName {
	all := map[string]certificateName{}
	for _, prefix := range []string{subjectPrefix, issuerPrefix} {
		for _, attribute := range CertificateAttributes() {
			bare := prefix + attribute
			n := certificateName{bare: bare, list: bare + ".List"}
			for i := range n.items {
				n.items[i] = bare + "." + strconv.Itoa(i)
			}
			all[bare] = n
		}
	}
	return all
})

func (b *certificateKeys) add(prefix string, names CertificateNames) {
	for _, attribute := range CertificateAttributes() {
		values := names[attribute]
		if len(values) == 0 {
			continue
		}
		values = values[:min(len(values), maxCertificateItems)]
		name := certificateNames()[prefix+attribute]
		escaped := make([]string, len(values))
		for i, v := range values {
			escaped[i] = escapeCertificate(v)
		}
		b.single(name.bare, escaped[0])
		for i, v := range escaped {
			b.single(name.items[i], v)
		}
		b.keys = append(b.keys, Multi(name.list, escaped...))
		b.names = append(b.names, name.list)
	}
}

// escapeCertificate puts a backslash before the characters that RFC 2253 wants
// escaped.
func escapeCertificate(s string) string {
	const special = `,"\+=<>;`
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
