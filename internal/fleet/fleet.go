// Package fleet is the server's side of the fleet simulator: tests (device
// models with the values of their settings), run settings, runs with their
// results, and the glob storage that the runs of an account share. It keeps
// them in the database, whatever may hold secrets sealed, and has runs done by
// worker processes (package worker), never in the server. What a device does
// is the business of packages model, script and engine.
package fleet

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/seal"
)

// Service serves the fleet API. Set the exported fields, then Start it. It is
// safe for concurrent use.
type Service struct {
	DB      *db.DB
	Seal    *seal.Box
	Log     *slog.Logger
	Now     func() time.Time
	Samples []Sample // in the order in which people are to see them
	Workers Workers
	Limits  Limits // zero members are the defaults
	// Node names this server among those that share the database, the same
	// after a restart: runs that it left under way have failed. Empty, Start
	// makes one up.
	Node string
	// Shared says that other servers may be on the database.
	Shared bool
	// Off refuses to start runs.
	Off bool

	runs runs
}

// Sample is a model that ships with thingd.
type Sample struct {
	Model *model.Model
	// Policy is the IAM policy that its access key needs, or empty.
	Policy string
}

// Limits are how much an account may have, in all regions together: a region is
// what the caller calls it.
type Limits struct {
	Tests       int64         // 500
	RunSettings int64         // 100
	KeptRuns    int           // of a test that have ended: 20, the oldest go first
	AllRuns     int           // of all tests that have ended: 500, the oldest go first
	Queued      int           // runs that wait for their turn: 20
	GlobKeys    int64         // 500,000
	GlobBytes   int64         // of keys and values: 1 GiB
	StateBytes  int           // of the states that the devices of a test keep: 64 MiB
	DeviceBytes int           // of what is kept of the devices of a run: 16 MiB
	Clients     int           // of a run: 100,000
	Time        time.Duration // of a run: 1 hour
	AtOnce      int           // runs under way of all accounts: 2; less than 0: none begins
}

func (l *Limits) fill() {
	fill(&l.Tests, 500)
	fill(&l.RunSettings, 100)
	fill(&l.KeptRuns, 20)
	fill(&l.AllRuns, 500)
	fill(&l.Queued, 20)
	fill(&l.GlobKeys, 500_000)
	fill(&l.GlobBytes, 1<<30)
	fill(&l.StateBytes, 64<<20)
	fill(&l.DeviceBytes, 16<<20)
	fill(&l.Clients, 100_000)
	fill(&l.Time, time.Hour)
	fill(&l.AtOnce, 2)
}

func fill[T comparable](v *T, standard T) {
	var zero T
	if *v == zero {
		*v = standard
	}
}

// Purposes of sealing.
const (
	sealModel    = "fleet model"
	sealSettings = "fleet settings"
	sealDocument = "fleet run document"
	sealDevice   = "fleet run device"
	sealState    = "fleet state"
	sealGlob     = "fleet glob"
)

// place is where a request is at home.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := awsapi.RequestOf(ctx)
	return place{r.Caller.Account, r.Region}
}

func (p place) arn(kind, name string) string {
	return arn.New("fleet", p.region, p.account, kind+"/"+name)
}

// queryer is a transaction, or the database outside of one.
type queryer interface {
	QueryRow(ctx context.Context, query string, args ...any) *db.Row
	Query(ctx context.Context, query string, args ...any) (*db.Rows, error)
}

// count answers the number that a query selects.
func count(ctx context.Context, q queryer, query string, args ...any) (n int64, err error) {
	err = q.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}

func isNotFound(err error) bool { return errors.Is(err, db.ErrNotFound) }

func (s *Service) now() int64 { return s.Now().UnixMilli() }

func millis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional is nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
