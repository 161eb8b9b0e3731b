package db

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

// Writes wait for readers to let go of the log for a moment, each time it is to begin anew, and afterwards for other
// processes as long as before.
func TestLogBeginsAnewSoonOrNotAtAll(t *testing.T) {
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	s := d.e.(*sqlite)
	c, err := s.connect(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	w := newConn(c.c)
	t.Cleanup(func() { _ = w.close() })
	k := &checkpointer{log: slog.New(slog.NewTextHandler(t.Output(), nil)), path: s.path}
	err = d.Read(t.Context(), func(tx *Tx) error {
		var n int
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM meta`).Scan(&n); err != nil {
			return err
		}
		for range 2 {
			if _, err := w.ExecContext(t.Context(), `INSERT INTO meta (key, value) VALUES (hex(randomblob(8)), '')`); err != nil {
				return err
			}
			for _, how := range []string{"RESTART", "TRUNCATE"} {
				began := time.Now()
				k.begin(w, how)
				if took := time.Since(began); took < 90*time.Millisecond || took > 3*time.Second {
					t.Errorf("%s with a reader took %v", how, took)
				}
				var timeout int
				if err := w.c.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&timeout); err != nil || timeout != 5000 {
					t.Errorf("busy_timeout is %d afterwards, %v", timeout, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if k.begin(w, "TRUNCATE"); k.fileSize() != 0 {
		t.Errorf("the log has %d bytes without a reader", k.fileSize())
	}
}
