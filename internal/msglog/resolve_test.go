package msglog

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// A commit whose connection was lost is looked up: it took place, or not.
func TestResolve(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l, err := Open(t.Context(), d, Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		lost := errors.New("lost")
		l.commits = 7
		c := l.cut(nil, false)
		if err := l.resolve(c, lost); err != lost {
			t.Fatalf("a commit that did not take place: %v", err)
		}
		if err := l.write(c); err != nil {
			t.Fatal(err)
		}
		if err := l.resolve(c, lost); err != nil {
			t.Fatalf("a commit that took place: %v", err)
		}
		if _, err := Open(t.Context(), d, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := l.resolve(c, lost); !errors.Is(err, ErrTakenOver) {
			t.Fatalf("a commit of one that was taken over: %v", err)
		}
	})
}
