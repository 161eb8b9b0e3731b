// Package shadow is AWS IoT's Device Shadow service: a document for each shadow of a thing, classic or named,
// that clients update, get and delete by messages on reserved topics or over HTTP, with the same effects. What a
// document is and becomes is the business of package document; this one keeps the documents in the database, has
// the requests for each shadow done in their order, answers and tells of changes on the shadow's topics, and holds
// clients to AWS's limits. Who may publish, subscribe or call is decided by others, before a request comes here.
package shadow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/iotlog"
)

// Bus publishes messages of the service on the topics of an account in a region. It keeps nothing of the payload.
type Bus interface {
	Publish(ctx context.Context, account, region, topic string, payload []byte) error
}

// Limits are what an account's clients may do. A rate or number of 0 is none.
type Limits struct {
	State    int // bytes of desired and reported together, as JSON
	Rate     int // requests a second for the shadows of one thing
	InFlight int // requests not yet answered of one connection for one thing
}

// AWS are the limits of the Device Shadow service before anybody asks for more. State can be raised to 30 KB there.
func AWS() Limits { return Limits{State: 8 << 10, Rate: 20, InFlight: 10} }

// Service keeps shadows. Set the exported fields, then Start it. It is safe for concurrent use.
type Service struct {
	DB  *db.DB
	Bus Bus // nil publishes nothing
	Log *slog.Logger
	Now func() time.Time
	// Devices is where it is written what happens to shadows. It may be nil.
	Devices *iotlog.Log
	// Limits are those of an account; nil: AWS's for all.
	Limits     func(account string) Limits
	Registerer prometheus.Registerer // nil: nothing is counted

	metrics *metrics
	cache   cache
	writes  writer
	gate    gate
	lanes   lanes

	ctx  context.Context // ends with the service
	stop context.CancelFunc
	work sync.WaitGroup
}

// id is which shadow. Its thing and name are valid as AWS has them.
type id struct{ account, region, thing, name string }

// Start begins to serve. Close ends it.
func (s *Service) Start(ctx context.Context) error {
	var err error
	if s.metrics, err = newMetrics(s.Registerer); err != nil {
		return err
	}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.writes.start(s.DB, &s.work)
	return nil
}

// Close ends when all requests that were taken are answered. Those that come later fail.
func (s *Service) Close() error {
	s.lanes.close()
	s.writes.close()
	s.work.Wait()
	s.stop()
	return nil
}

// Invalidate forgets all that was read from the database. Call it after the database was changed by anything but
// this Service.
func (s *Service) Invalidate() { s.cache.clear() }

func (s *Service) limits(account string) Limits {
	if s.Limits == nil {
		return AWS()
	}
	return s.Limits(account)
}
