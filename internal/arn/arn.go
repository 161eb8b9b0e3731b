// Package arn reads and writes Amazon Resource Names,
// arn:partition:service:region:account:resource. It knows their form and
// nothing of what they name: whether a resource exists, and what the words in
// its last part mean, is for the services. The package does no I/O.
package arn

import (
	"errors"
	"strings"
)

// ARN is a resource name split into its parts. The fixed first part, "arn", is
// not kept. Region and Account may be empty; Resource keeps its colons and
// slashes.
type ARN struct {
	Partition string
	Service   string
	Region    string
	Account   string
	Resource  string
}

// Partition is the partition that names made by New are in.
const Partition = "aws"

// ErrInvalid is what Parse returns for a string that is not an ARN.
var ErrInvalid = errors.New("not an ARN")

// Parse splits s on its first five colons. It fails with ErrInvalid when s
// does not begin with "arn:", has fewer than six parts, or has an empty
// partition, service or resource. It checks no more than that: wildcards and
// unknown services pass.
func Parse(s string) (ARN, error) {
	p, ok := Split(s)
	if !ok || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, ErrInvalid
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// Split cuts s on its first five colons and reports whether that gave six
// parts of which the first is "arn". It does not allocate.
func Split(s string) (parts [6]string, ok bool) {
	for i := range 5 {
		j := strings.IndexByte(s, ':')
		if j < 0 {
			return parts, false
		}
		parts[i], s = s[:j], s[j+1:]
	}
	parts[5] = s
	return parts, parts[0] == "arn"
}

// New makes the name of a resource in the partition "aws":
// New("iot", "us-east-1", "123456789012", "thing/cam1").
func New(service, region, account, resource string) string {
	return ARN{Partition: Partition, Service: service, Region: region, Account: account, Resource: resource}.String()
}

// String puts the parts together again.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Type is the part of Resource before its first slash, or before its first
// colon when there is no slash before it: "thing" of thing/cam1. A resource
// without either has no type.
func (a ARN) Type() string {
	if i := strings.IndexAny(a.Resource, "/:"); i >= 0 {
		return a.Resource[:i]
	}
	return ""
}

// ID is the part of Resource after its type: "cam1" of thing/cam1,
// "eng/alice" of user/eng/alice, the whole resource when it has no type.
func (a ARN) ID() string {
	if i := strings.IndexAny(a.Resource, "/:"); i >= 0 {
		return a.Resource[i+1:]
	}
	return a.Resource
}

// Name is the part of Resource after its last slash: "alice" of
// user/eng/alice. IAM's names end there; what stands before is type and path.
func (a ARN) Name() string {
	return a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
}

// IsAccount reports whether s has the form of an account id: twelve digits.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
