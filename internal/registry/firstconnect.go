package registry

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/iotlog"
)

// registeredTopic is where a CA's automatic registrations are told.
const registeredTopic = "$aws/events/certificates/registered/"

// registered is the event of a certificate that waits for its activation (AWS
// IoT Developer Guide, "just-in-time registration").
type registered struct {
	CertificateID   string `json:"certificateId"`
	CACertificateID string `json:"caCertificateId"`
	Timestamp       int64  `json:"timestamp"` // ms
	Status          string `json:"certificateStatus"`
	Account         string `json:"awsAccountId"`
	RegisteredAt    string `json:"certificateRegistrationTimestamp"` // ms too, but text
}

// FirstConnect is CertificateByID for a device that connects, and more for a
// certificate that is not known yet: where an ACTIVE CA of an account with auto
// registration has signed it, it is registered there with the status
// PENDING_ACTIVATION. For a certificate with that status, now or since an
// earlier time, it publishes an event, which somebody may answer with
// UpdateCertificate. Drop the connection unless c is Active.
//
// A server name of AWS's form decides on the CA's account and region. With any
// other, CAs in mode DEFAULT count, whose key their account has proved to have;
// they come before what others have registered. The chain is what the device
// sent, its own certificate first; further ones only choose between CAs with
// the same key. A CA's provisioning template is not carried out.
func (s *Service) FirstConnect(ctx context.Context, chain []*x509.Certificate, serverName string) (c *Certificate, ok bool, err error) {
	if len(chain) == 0 {
		return nil, false, nil
	}
	id := CertificateID(chain[0].Raw)
	c, ok, err = s.CertificateByID(ctx, id, serverName)
	if err != nil {
		return nil, false, err
	}
	_, _, named := endpointName(serverName)
	if !ok || !named && !c.Issued {
		made, err := s.autoRegister(ctx, chain, serverName)
		if err != nil {
			return nil, false, fmt.Errorf("register certificate %s at its first connection: %w", id, err)
		}
		if made {
			if c, ok, err = s.CertificateByID(ctx, id, serverName); err != nil {
				return nil, false, err
			}
			if ok {
				s.noteCertificate(ctx, place{c.Account, c.Region}, iotlog.Info, id, "RegisterCertificate", "registered at its first connection by its CA, with the status "+c.Status)
			}
		}
	}
	if ok && c.Status == iot.CertificateStatusPendingActivation {
		s.noteCertificate(ctx, place{c.Account, c.Region}, iotlog.Error, id, "Connect", "the certificate is "+c.Status)
		if err := s.announce(ctx, c); err != nil {
			return nil, false, fmt.Errorf("publish registration of certificate %s: %w", id, err)
		}
	}
	return c, ok, nil
}

// autoRegister registers the first certificate of a chain if there is a CA that
// is to do so. made says that it is registered, by this call or another.
func (s *Service) autoRegister(ctx context.Context, chain []*x509.Certificate, serverName string) (made bool, err error) {
	cert := chain[0]
	if now := s.Now(); foreignFault(cert) != "" || now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return false, nil
	}
	ca, err := s.autoSigner(ctx, chain, serverName)
	if err != nil || ca == nil {
		return false, err
	}
	at, id := place{ca.account, ca.region}, CertificateID(cert.Raw)
	err = s.write(ctx, func(tx *db.Tx) error {
		made = false
		still, err := existsRow(ctx, tx, `SELECT 1 FROM iot_ca_certificates WHERE account = $1 AND region = $2 AND id = $3 AND status = 'ACTIVE' AND auto_registration = 'ENABLE'`,
			at.account, at.region, ca.id)
		if err != nil || !still {
			return err
		}
		made = true
		there, err := existsRow(ctx, tx, `SELECT 1 FROM iot_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id)
		if err != nil || there {
			return err
		}
		return s.insertCertificate(ctx, tx, at, cert, iot.CertificateStatusPendingActivation, ca.mode, &ca.id)
	}, certificateKey(id))
	return made && err == nil, err
}

// autoSigner is the CA that registers a device's certificate, nil if none does.
func (s *Service) autoSigner(ctx context.Context, chain []*x509.Certificate, serverName string) (*signer, error) {
	cert := chain[0]
	query, args := `SELECT account, region, id, status, mode, pem FROM iot_ca_certificates WHERE subject = $1 AND status = 'ACTIVE' AND auto_registration = 'ENABLE'`, []any{cert.RawIssuer}
	if prefix, region, ok := endpointName(serverName); ok {
		at, found, err := s.endpointOwner(ctx, prefix)
		if err != nil || !found || at.region != region {
			return nil, err
		}
		query += ` AND account = $2 AND region = $3`
		args = append(args, at.account, at.region)
	} else {
		query += ` AND mode = 'DEFAULT'`
	}
	all, err := s.signers(ctx, query+` ORDER BY created, account, region, id`, args...)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	all = slices.DeleteFunc(all, func(c signer) bool {
		return !c.named(cert) || now.After(c.cert.NotAfter) || !signedBy(cert, c.cert)
	})
	for i := range all {
		if slices.ContainsFunc(chain[1:], all[i].cert.Equal) {
			return &all[i], nil
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return &all[0], nil
}

// announce publishes that a certificate waits for its activation.
func (s *Service) announce(ctx context.Context, c *Certificate) error {
	if s.Events == nil {
		return nil
	}
	var ca *string
	var created int64
	err := s.DB.QueryRow(ctx, `SELECT ca, created FROM iot_certificates WHERE account = $1 AND region = $2 AND id = $3`, c.Account, c.Region, c.ID).Scan(&ca, &created)
	if errors.Is(err, db.ErrNotFound) || err == nil && ca == nil {
		return nil
	}
	if err != nil {
		return err
	}
	payload, err := json.Marshal(registered{
		CertificateID: c.ID, CACertificateID: *ca, Timestamp: s.now(), Status: c.Status,
		Account: c.Account, RegisteredAt: strconv.FormatInt(created, 10),
	})
	if err != nil {
		return err
	}
	return s.Events.Publish(ctx, c.Account, c.Region, registeredTopic+*ca, payload)
}
