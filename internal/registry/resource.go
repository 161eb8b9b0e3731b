package registry

import (
	"regexp"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
)

func (p place) arn(resource string) string {
	return arn.New("iot", p.region, p.account, resource)
}

func (p place) certificate(id string) string { return p.arn("cert/" + id) }

func (p place) ca(id string) string { return p.arn("cacert/" + id) }

// key names something of this account and region.
func (p place) key(k kind, name, other string) key {
	return key{kind: k, account: p.account, region: p.region, name: name, other: other}
}

// principal is what policies and things can be attached to; policies to groups
// of things as well.
type principal struct {
	name        string // as listed: an ARN, or a Cognito identity id
	certificate string // id, when it is one
	group       string // name, when it is a thing group
}

// about is the resource that attaching to p is authorized on: the certificate
// or the group; AWS has no resource type for Cognito identities.
func (p principal) about() string {
	if p.certificate != "" || p.group != "" {
		return p.name
	}
	return "*"
}

// groupName is nil where there is no group.
func (p principal) groupName() *string {
	if p.group == "" {
		return nil
	}
	return &p.group
}

// certificateID is nil where there is no certificate, for the foreign key.
func (p principal) certificateID() *string {
	if p.certificate == "" {
		return nil
	}
	return &p.certificate
}

var (
	registryName  = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`) // of things, types and groups
	certificateID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	cognitoID     = regexp.MustCompile(`^([a-z]{2}(?:-[a-z]+)+-[0-9]):[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// errNoCertificate is AWS's text for a certificate that this account does not
// have in this region, whoever else may have it.
func errNoCertificate() *awsapi.Error {
	return iot.ErrResourceNotFoundException("The certificate given in the principal does not exist.")
}

// principal reads the ARN of a certificate or the id of a Cognito identity.
// The error is what AWS answers for anything else, or for what belongs to
// another account or region.
func (p place) principal(s string) (principal, error) {
	if m := cognitoID.FindStringSubmatch(s); m != nil {
		if m[1] != p.region {
			return principal{}, iot.ErrInvalidRequestException("Cognito identity %s is not of region %s", s, p.region)
		}
		return principal{name: s}, nil
	}
	a, err := arn.Parse(s)
	if err != nil || a.Service != "iot" {
		return principal{}, iot.ErrInvalidRequestException("Invalid Target")
	}
	switch typ, id, _ := strings.Cut(a.Resource, "/"); typ {
	case "cert":
		if s != p.certificate(id) || !certificateID.MatchString(id) {
			return principal{}, errNoCertificate()
		}
		return principal{name: s, certificate: id}, nil
	}
	return principal{}, iot.ErrInvalidRequestException("Invalid Target")
}

// policyTarget reads what policies can be attached to: a principal, or the ARN
// of a thing group.
func (p place) policyTarget(s string) (principal, error) {
	a, err := arn.Parse(s)
	if err != nil || a.Service != "iot" || a.Type() != "thinggroup" {
		return p.principal(s)
	}
	if s != p.arn("thinggroup/"+a.Name()) || !registryName.MatchString(a.Name()) {
		return principal{}, errNoGroupTarget(s)
	}
	return principal{name: s, group: a.Name()}, nil
}

func errNoGroupTarget(s string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("No thing group with ARN %s exists", s)
}
