package registry

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/kit"
)

// CreateDeviceKit makes a key and an active certificate for a thing, attaches
// them, and answers all that the device needs in one zip. It is an operation of
// thingd's own API, in the place of CreateThing, CreateKeysAndCertificate,
// AttachThingPrincipal and AttachPolicy: all of them happen or none. The
// private key is in the answer and nowhere else.
func (s *Service) CreateDeviceKit(ctx context.Context, in *thingd.CreateDeviceKitRequest) (*thingd.CreateDeviceKitResponse, error) {
	at := placeOf(ctx)
	if in.RoleAlias != nil {
		_, there, err := s.RoleAlias(ctx, at.account, at.region, *in.RoleAlias)
		if err != nil {
			return nil, fmt.Errorf("create device kit: %w", err)
		}
		if !there {
			return nil, errNoRoleAlias(*in.RoleAlias)
		}
	}
	// What would be refused in the end costs no key.
	if err := checkKit(ctx, s.DB, at, in); err != nil {
		return nil, fmt.Errorf("create device kit: %w", err)
	}
	d, err := s.newDevice(ctx, at, in)
	if err != nil {
		return nil, fmt.Errorf("create device kit: %w", err)
	}
	archive, err := d.Zip()
	if err != nil {
		return nil, fmt.Errorf("create device kit: %w", err)
	}
	id, arn := d.CertificateID(), d.CertificateARN
	err = s.change(ctx, at, func(tx *db.Tx, n *notes) error { return s.insertKit(ctx, tx, n, in, d.Certificate) },
		at.key(aThing, in.ThingName, ""), certificateKey(id), at.key(anAttachment, in.ThingName, arn), at.key(aPolicyList, arn, ""))
	if err != nil {
		return nil, fmt.Errorf("create device kit: %w", err)
	}
	return &thingd.CreateDeviceKitResponse{
		ThingName: in.ThingName, ThingArn: at.arn("thing/" + in.ThingName), CertificateId: id, CertificateArn: arn,
		FileName: d.FileName(), Kit: archive,
	}, nil
}

// checkKit refuses a thing that is neither there nor to be made, and unknown
// policies.
func checkKit(ctx context.Context, q queryer, at place, in *thingd.CreateDeviceKitRequest) error {
	if !isTrue(in.CreateThing) {
		if err := checkThing(ctx, q, at, in.ThingName); err != nil {
			return err
		}
	}
	for _, name := range in.PolicyNames {
		there, err := policyExists(ctx, q, at, name)
		if err != nil {
			return err
		}
		if !there {
			return errNoPolicy(name)
		}
	}
	return nil
}

// newDevice makes the key and the certificate, and gathers the rest. Nothing is
// registered yet.
func (s *Service) newDevice(ctx context.Context, at place, in *thingd.CreateDeviceKitRequest) (*kit.Device, error) {
	root, _ := pem.Decode(s.Endpoints.Root())
	if root == nil {
		return nil, errors.New("the server's root is not known")
	}
	d := &kit.Device{
		Account: at.account, Region: at.region, Thing: in.ThingName, Policies: in.PolicyNames,
		RoleAlias: text(in.RoleAlias), Stream: in.ThingName, Password: in.Password, Now: s.Now(),
	}
	if in.StreamName != nil {
		d.Stream = *in.StreamName
	}
	var err error
	if d.Root, err = x509.ParseCertificate(root.Bytes); err != nil {
		return nil, fmt.Errorf("the server's root: %w", err)
	}
	if d.Endpoints, err = s.kitEndpoints(ctx); err != nil {
		return nil, err
	}
	if d.Key, err = s.keys.take(ctx); err != nil {
		return nil, err
	}
	if d.Certificate, err = s.Issuer.issue(ctx, &d.Key.PublicKey); err != nil {
		return nil, err
	}
	d.CertificateARN = at.certificate(d.CertificateID())
	return d, nil
}

// kitEndpoints are the endpoints as DescribeEndpoint says them.
func (s *Service) kitEndpoints(ctx context.Context) (kit.Endpoints, error) {
	data, err := s.DescribeEndpoint(ctx, &iot.DescribeEndpointRequest{EndpointType: new("iot:Data-ATS")})
	if err != nil {
		return kit.Endpoints{}, err
	}
	provider, err := s.DescribeEndpoint(ctx, &iot.DescribeEndpointRequest{EndpointType: new("iot:CredentialProvider")})
	if err != nil {
		return kit.Endpoints{}, err
	}
	host := *data.EndpointAddress
	e := kit.Endpoints{
		Host: host, HTTPS: net.JoinHostPort(host, strconv.Itoa(s.Endpoints.DevicePort)), MQTTPort: s.Endpoints.MQTTPort, MQTT: s.Endpoints.MQTT,
		Credentials: *provider.EndpointAddress,
	}
	if !s.Endpoints.AWSNames {
		e.API = s.Endpoints.API
	}
	return e, nil
}

// insertKit registers what a kit is of.
func (s *Service) insertKit(ctx context.Context, tx *db.Tx, n *notes, in *thingd.CreateDeviceKitRequest, cert *x509.Certificate) error {
	at := n.at
	if isTrue(in.CreateThing) {
		t := &thing{name: in.ThingName, id: uuid.NewString(), attributes: attributes{}.document(), version: 1}
		made, err := tx.Exec(ctx, `INSERT INTO iot_things (account, region, name, id, attributes, version, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region, name) DO NOTHING`,
			at.account, at.region, t.name, t.id, t.attributes, t.version, s.now())
		if err != nil {
			return err
		}
		if made > 0 {
			if err := n.thing(opCreated, t); err != nil {
				return err
			}
		}
	}
	if err := checkKit(ctx, tx, at, in); err != nil {
		return err
	}
	if err := s.insertCertificate(ctx, tx, at, cert, iot.CertificateStatusActive, iot.CertificateModeDefault, nil); err != nil {
		return err
	}
	id := CertificateID(cert.Raw)
	p := principal{name: at.certificate(id), certificate: id}
	if err := s.insertThingPrincipal(ctx, tx, at, in.ThingName, p, false); err != nil {
		return err
	}
	for _, name := range in.PolicyNames {
		if _, err := s.insertAttachment(ctx, tx, at, name, p); err != nil {
			return err
		}
	}
	return nil
}

// onKit is what making a kit needs to be allowed: itself, and all that it does
// as by the operations of AWS. The certificate is not there yet: to attach it,
// one has to be allowed to attach any.
func (s *Service) onKit(ctx context.Context, at place, in *thingd.CreateDeviceKitRequest) (*awsapi.Resolution, error) {
	thing, anyCertificate := at.arn("thing/"+in.ThingName), at.certificate("*")
	checks := []awsapi.Check{{Resource: thing}}
	if isTrue(in.CreateThing) {
		checks = append(checks, awsapi.Check{Action: "iot:CreateThing", Resource: thing})
	}
	checks = append(checks,
		awsapi.Check{Action: "iot:CreateKeysAndCertificate", Resource: "*"},
		awsapi.Check{Action: "iot:AttachThingPrincipal", Resource: anyCertificate, Keys: map[string][]string{"iot:thingArn": {thing}}},
	)
	if len(in.PolicyNames) > 0 {
		checks = append(checks, awsapi.Check{Action: "iot:AttachPolicy", Resource: anyCertificate})
	}
	if in.RoleAlias != nil {
		tags, err := s.resourceTags(ctx, at, "rolealias/"+*in.RoleAlias)
		if err != nil {
			return nil, err
		}
		checks = append(checks, awsapi.Check{Action: "iot:DescribeRoleAlias", Resource: at.arn("rolealias/" + *in.RoleAlias), Keys: tags})
	}
	return &awsapi.Resolution{Checks: checks}, nil
}
