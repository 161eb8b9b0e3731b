package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// Endpoints are the names that devices reach the server by, as advertised.
type Endpoints struct {
	Host       string // name or address of the device ports
	DevicePort int    // of HTTPS for devices: credentials provider, jobs
	// AWSNames says that the server answers to AWS's own names on AWS's ports.
	AWSNames bool

	// For device kits:
	MQTTPort int           // of MQTT over TLS
	MQTT     bool          // there is a listener on it
	API      string        // base URL of the AWS APIs
	Root     func() []byte // certificate that the server's are signed by, PEM
}

// The kinds of prefixes that an account has in a region.
const (
	dataPrefix        = "data"
	credentialsPrefix = "credentials"
)

const awsDomain = ".amazonaws.com"

// DescribeEndpoint answers a name for devices to connect to. Clients add the
// port of MQTT themselves; where they do not, and the port is not HTTPS's own,
// it is part of the answer.
func (s *Service) DescribeEndpoint(ctx context.Context, in *iot.DescribeEndpointRequest) (*iot.DescribeEndpointResponse, error) {
	typ := "iot:Data"
	if in.EndpointType != nil {
		typ = *in.EndpointType
	}
	kind, middle, withPort := dataPrefix, "", false
	switch typ {
	case "iot:Data":
		middle = ".iot."
	case "iot:Data-ATS":
		middle = "-ats.iot."
	case "iot:CredentialProvider":
		kind, middle, withPort = credentialsPrefix, ".credentials.iot.", true
	case "iot:Jobs":
		middle, withPort = ".jobs.iot.", true
	default:
		return nil, iot.ErrInvalidRequestException("Endpoint type %s not recognized.", typ)
	}
	if s.Endpoints.AWSNames {
		at := placeOf(ctx)
		prefix, err := s.prefix(ctx, at, kind)
		if err != nil {
			return nil, fmt.Errorf("describe endpoint: %w", err)
		}
		return &iot.DescribeEndpointResponse{EndpointAddress: new(prefix + middle + at.region + awsDomain)}, nil
	}
	address := s.Endpoints.Host
	if withPort && s.Endpoints.DevicePort != 443 {
		address = net.JoinHostPort(address, strconv.Itoa(s.Endpoints.DevicePort))
	}
	return &iot.DescribeEndpointResponse{EndpointAddress: &address}, nil
}

// prefix is the first label of an account's endpoint names, made when it is
// first asked for and the same for ever.
func (s *Service) prefix(ctx context.Context, at place, kind string) (prefix string, err error) {
	const query = `SELECT prefix FROM iot_endpoints WHERE account = $1 AND region = $2 AND kind = $3`
	err = s.DB.QueryRow(ctx, query, at.account, at.region, kind).Scan(&prefix)
	if !errors.Is(err, db.ErrNotFound) {
		return prefix, err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO iot_endpoints (account, region, kind, prefix) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			at.account, at.region, kind, newPrefix(kind))
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, query, at.account, at.region, kind).Scan(&prefix)
	})
	return prefix, err
}

// newPrefix makes a random one of AWS's form: 14 lower-case letters and digits
// of which the first is a letter.
func newPrefix(kind string) string {
	first := "a"
	if kind == credentialsPrefix {
		first = "c"
	}
	return first + strings.ToLower(rand.Text()[:13])
}

// endpointName takes an endpoint name of AWS's form apart. ok says that it is
// one, known or not.
func endpointName(name string) (prefix, region string, ok bool) {
	name, ok = strings.CutSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), awsDomain)
	if !ok {
		return "", "", false
	}
	labels := strings.Split(name, ".")
	switch {
	case len(labels) == 3 && labels[1] == "iot":
		return strings.TrimSuffix(labels[0], "-ats"), labels[2], true
	case len(labels) == 4 && labels[2] == "iot" && (labels[1] == "credentials" || labels[1] == "jobs"):
		return labels[0], labels[3], true
	}
	return "", "", false
}
