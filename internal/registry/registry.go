// Package registry is AWS IoT's control plane: things and their types,
// certificates, IoT policies, who is attached to what, role aliases, endpoint
// names and tags. It issues device certificates, keeps all of it in the
// database by account and region, and answers what those who deal with devices
// ask at every connection: whose is this certificate, is it active, what may
// it do, which things is it attached to. What devices then do is none of its
// business.
package registry

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/policy"
)

// Service serves the registry's operations of the iot API. Set the exported
// fields, then Start it. It is safe for concurrent use.
type Service struct {
	DB        *db.DB
	Log       *slog.Logger
	Now       func() time.Time
	Issuer    *Issuer
	Endpoints Endpoints
	Events    Events // nil publishes nothing
	// Deactivated is called after a certificate has left the status ACTIVE, by
	// what changed it, which waits for it: its connections are to end. It may be
	// nil.
	Deactivated func(account, region, certificateID string)
	// Devices is where it is written what happens to certificates. It may be nil.
	Devices *iotlog.Log

	// TypeDeleteWait is how long a thing type must be deprecated before it can
	// be deleted. 0 is AWS's five minutes, a negative value no wait.
	TypeDeleteWait time.Duration
	// SpareKeys is how many RSA keys are held ready for
	// CreateKeysAndCertificate. 0 means 512.
	SpareKeys int

	newKey func() (*rsa.PrivateKey, error) // nil generates one
	keys   *keyPool
	stop   context.CancelFunc
	work   sync.WaitGroup

	generations  fresh.Generations[key]
	certificates fresh.Cache[string, fresh.Entry[[]*Certificate]]
	devices      fresh.Cache[key, *Device]
	policies     fresh.Cache[key, fresh.Entry[*policy.Policy]]
	lists        fresh.Cache[key, fresh.Entry[[]string]]
	types        fresh.Cache[key, fresh.Entry[string]]
	attached     fresh.Cache[key, fresh.Entry[bool]]
	aliases      fresh.Cache[key, fresh.Entry[*RoleAlias]]
	prefixes     fresh.Cache[string, fresh.Entry[place]]
	logging      fresh.Cache[key, fresh.Entry[*logLevels]]
	eventTypes   fresh.Cache[key, fresh.Entry[map[string]bool]]
}

// Start opens the device issuer, or begins to make one, and begins to make
// keys in the background. It fails when an issuer is there and cannot be used.
// Close ends what it began.
func (s *Service) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.keys = newKeyPool(s.SpareKeys, s.newKey)
	found, err := s.Issuer.open()
	if err != nil {
		s.stop()
		return err
	}
	s.work.Go(func() {
		if !found {
			s.Issuer.create()
		}
		s.keys.fill(ctx)
	})
	return nil
}

// Close stops the background work and waits for it: at most for the key that
// is being made.
func (s *Service) Close() error {
	if s.stop != nil {
		s.stop()
	}
	s.work.Wait()
	return nil
}

// Invalidate forgets all that was read from the database. Call it after the
// database was changed by anything but this Service's operations.
func (s *Service) Invalidate() { s.generations.BumpAll() }

// write runs fn in a transaction and outdates what is cached under the keys,
// before anybody can learn that it was committed. It does so too when the
// transaction failed, since a lost connection leaves open whether it did.
func (s *Service) write(ctx context.Context, fn func(*db.Tx) error, keys ...key) error {
	defer func() {
		for _, k := range keys {
			s.generations.Bump(k)
		}
	}()
	return s.DB.Write(ctx, fn)
}

func (s *Service) now() int64 { return s.Now().UnixMilli() }

func millis(ms int64) *time.Time {
	t := time.UnixMilli(ms).UTC()
	return &t
}
