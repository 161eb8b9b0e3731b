package app

import (
	"context"
	"errors"
	"time"

	"github.com/thingd/thingd/internal/credentials"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/policy"
	"github.com/thingd/thingd/internal/registry"
)

// devices lets the credentials provider ask the registry.
type devices struct {
	registry *registry.Service
	now      func() time.Time
}

// Certificate is credentials.Devices.
func (d devices) Certificate(ctx context.Context, id, serverName string) (credentials.Certificate, bool, error) {
	c, ok, err := d.registry.CertificateByID(ctx, id, serverName)
	if err != nil || !ok {
		return credentials.Certificate{}, false, err
	}
	return credentials.Certificate{
		Account: c.Account, Region: c.Region, ID: c.ID, ARN: c.ARN, Active: c.Active(d.now()), Keys: c.Keys,
	}, true, nil
}

// Thing is credentials.Devices.
func (d devices) Thing(ctx context.Context, c *credentials.Certificate, name string) (credentials.Thing, error) {
	attached, _, typeName, err := d.registry.ThingOfPrincipal(ctx, c.Account, c.Region, c.ID, name)
	return credentials.Thing{Attached: attached, TypeName: typeName}, err
}

// Policies is credentials.Devices.
func (d devices) Policies(ctx context.Context, c *credentials.Certificate) ([]*policy.Policy, error) {
	return d.registry.PoliciesOf(ctx, c.Account, c.Region, c.ID)
}

// RoleAlias is credentials.Aliases.
func (d devices) RoleAlias(ctx context.Context, c *credentials.Certificate, name string) (credentials.Alias, bool, error) {
	a, ok, err := d.registry.RoleAlias(ctx, c.Account, c.Region, name)
	if err != nil || !ok {
		return credentials.Alias{}, false, err
	}
	return credentials.Alias{ARN: a.ARN, RoleARN: a.RoleARN, Duration: a.Duration}, true, nil
}

// roles lets the credentials provider have roles assumed.
type roles struct{ identity *identity.Service }

// AssumeRole is credentials.Roles.
func (r roles) AssumeRole(ctx context.Context, s credentials.Session) (credentials.Credentials, error) {
	c, err := r.identity.AssumeRoleForService(ctx, identity.ServiceRole{
		Account: s.Account, RoleARN: s.RoleARN, Service: s.Service, SessionName: s.Name,
		Duration: s.Duration, Keys: s.Keys, SourceARN: s.SourceARN, RequestID: s.RequestID,
	})
	switch {
	case errors.Is(err, identity.ErrCannotAssume):
		return credentials.Credentials{}, credentials.ErrCannotAssume
	case errors.Is(err, identity.ErrDurationExceeds):
		return credentials.Credentials{}, credentials.ErrDurationExceeds
	case err != nil:
		return credentials.Credentials{}, err
	}
	return credentials.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expiration,
	}, nil
}
