package registry

import (
	"context"
	"errors"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// queryer is a transaction, or the database outside of one.
type queryer interface {
	QueryRow(ctx context.Context, query string, args ...any) *db.Row
	Query(ctx context.Context, query string, args ...any) (*db.Rows, error)
}

// placeOf is where a request is at home.
func placeOf(ctx context.Context) place {
	r := awsapi.RequestOf(ctx)
	return place{account: r.Caller.Account, region: r.Region}
}

// existsRow says whether a query has a row. The query selects one number.
func existsRow(ctx context.Context, q queryer, query string, args ...any) (bool, error) {
	var one int64
	err := q.QueryRow(ctx, query, args...).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// prefixRange gives the range [from, to) of the strings of ASCII characters
// that begin with prefix.
func prefixRange(prefix string) (from, to string) {
	return prefix, prefix + "\x7f"
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func isTrue(b *bool) bool { return b != nil && *b }
