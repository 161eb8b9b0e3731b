package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/policy"
)

// Device is what a certificate is when it connects with a client id: what
// decides on all that it does from then on. Immutable.
type Device struct {
	Certificate *Certificate
	ClientID    string
	Thing       string   // that it stands for (iot-policy.md §4); empty for none
	Exclusive   bool     // Thing is, whatever the client id: it is the certificate's only one
	Groups      []string // that the thing is in, and those above them
	// Policies are the default versions of those that are attached to the
	// certificate and to the groups, compiled and named, each once.
	Policies []*policy.Policy

	variables policy.Keys   // of the thing
	stamps    []fresh.Stamp // of all that it was made of
}

// Keys are the policy variables of the certificate and of the thing:
// iot:CertificateId, iot:Certificate.…, iot:Connection.Thing.…
func (d *Device) Keys() policy.Keys { return slices.Concat(d.variables, d.Certificate.Keys) }

// Current says that nothing has changed that d was made of: its certificate,
// the thing, what is attached to them, the groups and the policies. It neither
// locks nor allocates; ask it for every packet, and Device again when it says
// no.
func (s *Service) Current(d *Device) bool { return s.Stands(d.Basis()) }

// Basis is what an answer was made of, without what was found. Immutable.
type Basis struct{ stamps []fresh.Stamp }

// Basis is what d was made of: for those who keep less than a Device.
func (d *Device) Basis() Basis { return Basis{d.stamps} }

// Stands is Current for what is left of a Device.
func (s *Service) Stands(b Basis) bool {
	for _, st := range b.stamps {
		if !s.generations.Current(st) {
			return false
		}
	}
	return true
}

// Writes counts what has changed in the registry. While it stays the same, so
// does what Current and Stands answer: it is cheaper to ask for.
func (s *Service) Writes() uint64 { return s.generations.Bumps() }

// Device finds what a registered certificate, active or not, is under a client
// id. ok is false when it is not registered there. The answer is never from
// before the last write; while nothing changes it comes from memory.
func (s *Service) Device(ctx context.Context, account, region, certificateID, clientID string) (d *Device, ok bool, err error) {
	at := place{account, region}
	k := at.key(aCertificate, certificateID, clientID)
	if d, ok := s.devices.Get(k); ok && s.Current(d) {
		return d, true, nil
	}
	l := loader{Service: s, at: at}
	d, err = l.device(ctx, certificateID, clientID)
	if err != nil {
		return nil, false, fmt.Errorf("device of certificate %s: %w", certificateID, err)
	}
	if d == nil {
		return nil, false, nil
	}
	s.devices.Put(k, d)
	return d, true, nil
}

// loader reads what an answer is made of, and notes what would outdate it.
type loader struct {
	*Service
	at     place
	stamps []fresh.Stamp
}

// need has to be called with the key of something before that is read.
func (l *loader) need(k key) { l.stamps = append(l.stamps, l.generations.Stamp(k)) }

func (l *loader) device(ctx context.Context, certificateID, clientID string) (*Device, error) {
	l.need(certificateKey(certificateID))
	all, ok, err := l.registered(ctx, certificateID)
	if err != nil || !ok {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c *Certificate) bool { return place{c.Account, c.Region} == l.at })
	if i < 0 {
		return nil, nil
	}
	d := &Device{Certificate: all[i], ClientID: clientID}
	thing, exclusive, err := l.thing(ctx, d.Certificate.ARN, clientID)
	if err != nil {
		return nil, err
	}
	if thing != nil {
		if d.variables, err = thing.keys(); err != nil {
			return nil, err
		}
		d.Thing, d.Exclusive = thing.name, exclusive
		if d.Groups, err = l.groups(ctx, thing.name); err != nil {
			return nil, err
		}
	} else {
		d.variables = policy.Keys{policy.Single(keyAttached, "false")}
	}
	if d.Policies, err = l.policies(ctx, l.targets(d.Certificate.ARN, d.Groups)); err != nil {
		return nil, err
	}
	d.stamps = slices.Clone(l.stamps)
	return d, nil
}

const keyAttached = "iot:Connection.Thing.IsAttached"

// thing finds the thing that a principal stands for: the one that it is attached
// to exclusively, else one that it is attached to whose name is the client id.
// It is nil if there is none.
func (l *loader) thing(ctx context.Context, principal, clientID string) (t *thing, exclusive bool, err error) {
	if !registryName.MatchString(clientID) {
		clientID = "" // which no thing is called
	}
	l.need(l.at.key(aThingList, principal, ""))
	var name string
	err = l.DB.QueryRow(ctx, `SELECT thing, exclusive FROM iot_thing_principals WHERE account = $1 AND region = $2 AND principal = $3 AND (exclusive OR thing = $4) ORDER BY exclusive DESC LIMIT 1`,
		l.at.account, l.at.region, principal, clientID).Scan(&name, &exclusive)
	if errors.Is(err, db.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	l.need(l.at.key(aThing, name, ""))
	t, err = thingRow(ctx, l.DB, l.at, name)
	if errors.Is(err, db.ErrNotFound) { // detached and deleted since
		return nil, false, nil
	}
	return t, exclusive, err
}

// keys are the policy variables of a thing that a connection stands for.
func (t *thing) keys() (policy.Keys, error) {
	keys := policy.Keys{policy.Single(keyAttached, "true"), policy.Single("iot:Connection.Thing.ThingName", t.name)}
	if t.typeName != nil {
		keys = append(keys, policy.Single("iot:Connection.Thing.ThingTypeName", *t.typeName))
	}
	attrs, err := parseAttributes(t.attributes)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(attrs))
	for name := range attrs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		keys = append(keys, policy.Single("iot:Connection.Thing.Attributes["+name+"]", attrs[name]))
	}
	return keys, nil
}

// groups are the groups that a thing is in and all above them, in the order of
// their names.
func (l *loader) groups(ctx context.Context, thing string) ([]string, error) {
	l.need(l.at.key(aGroupList, thing, ""))
	l.need(l.at.key(aGroupList, "", ""))
	rows, err := l.DB.Query(ctx, `SELECT g.path FROM iot_thing_group_members m
		JOIN iot_thing_groups g ON g.account = m.account AND g.region = m.region AND g.name = m.group_name
		WHERE m.account = $1 AND m.region = $2 AND m.thing = $3`, l.at.account, l.at.region, thing)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var path string
		if err := rows.Scan(&path); err != nil {
			return nil, err
		}
		names = append(names, strings.Split(path, "/")...)
	}
	slices.Sort(names)
	return slices.Compact(names), rows.Close()
}

// targets are what policies that hold for a principal, if there is one, and the
// things of groups can be attached to.
func (l *loader) targets(principal string, groups []string) []string {
	var targets []string
	if principal != "" {
		targets = append(targets, principal)
	}
	for _, g := range groups {
		targets = append(targets, l.at.arn("thinggroup/"+g))
	}
	return targets
}

// policies are the default versions of the policies that are attached to
// targets, each once.
func (l *loader) policies(ctx context.Context, targets []string) ([]*policy.Policy, error) {
	var out []*policy.Policy
	seen := map[string]bool{}
	for _, target := range targets {
		l.need(l.at.key(aPolicyList, target, ""))
		names, err := l.attachedNames(ctx, l.at, target)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			l.need(l.at.key(aPolicy, name, ""))
			p, ok, err := l.policy(ctx, l.at, name)
			if err != nil {
				return nil, err
			}
			if ok { // else it was detached and deleted since
				out = append(out, p)
			}
		}
	}
	return out, nil
}
