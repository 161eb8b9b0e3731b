package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// TestWriteIsSerializable counts up in read-modify-write transactions.
func TestWriteIsSerializable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		create(t, d, `CREATE TABLE counter (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO counter (id, n) VALUES ('c', 0)`)
		var wg sync.WaitGroup
		const callers, each = 6, 25
		for range callers {
			wg.Go(func() {
				for range each {
					err := d.Write(ctx, func(tx *db.Tx) error {
						var n int64
						if err := tx.QueryRow(ctx, `SELECT n FROM counter WHERE id = $1`, "c").Scan(&n); err != nil {
							// The domains answer with errors of their own, which
							// must not hide a conflict.
							return errors.New("no such counter")
						}
						if _, err := tx.Exec(ctx, `UPDATE counter SET n = $1 WHERE id = $2`, n+1, "c"); err != nil {
							return errors.New("no such counter")
						}
						return nil
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		var n int
		if err := d.QueryRow(ctx, `SELECT n FROM counter`).Scan(&n); err != nil || n != callers*each {
			t.Errorf("counted %d, %v; want %d", n, err, callers*each)
		}
	})
}

// TestBatchMembersAreApart has good, failing, panicking and cancelled writes
// commit together.
func TestBatchMembersAreApart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Run("Write", func(t *testing.T) { membersAreApart(t, d, d.Write) })
		t.Run("WriteSoon", func(t *testing.T) { membersAreApart(t, d, d.WriteSoon) })
		t.Run("both", func(t *testing.T) {
			var n atomic.Int64
			membersAreApart(t, d, func(ctx context.Context, fn func(*db.Tx) error) error {
				if n.Add(1)%2 == 0 {
					return d.Write(ctx, fn)
				}
				return d.WriteSoon(ctx, fn)
			})
		})
	})
}

func membersAreApart(t *testing.T, d *db.DB, write func(context.Context, func(*db.Tx) error) error) {
	create(t, d, `DROP TABLE IF EXISTS m`, `CREATE TABLE m (n BIGINT NOT NULL PRIMARY KEY)`)
	// While this one runs, the others gather behind it.
	begun, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var once sync.Once
		err := write(context.Background(), func(*db.Tx) error {
			once.Do(func() { close(begun) })
			<-end
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	boom := errors.New("boom")
	for n := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			defer func() {
				if v := recover(); (v != nil) != (n%5 == 2) {
					t.Errorf("write %d: panic %v", n, v)
				} else if v != nil && !strings.Contains(fmt.Sprint(v), "oh") {
					t.Errorf("write %d: panic %v", n, v)
				}
			}()
			err := write(ctx, func(tx *db.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO m (n) VALUES ($1)`, n); err != nil {
					return err
				}
				switch n % 5 {
				case 1:
					return boom
				case 2:
					panic("oh")
				case 3:
					cancel()
					_, err := tx.Exec(ctx, `INSERT INTO m (n) VALUES ($1)`, n+1000)
					return err
				}
				return nil
			})
			switch n % 5 {
			case 0, 4:
				if err != nil {
					t.Errorf("write %d: %v", n, err)
				}
			case 1:
				if !errors.Is(err, boom) {
					t.Errorf("write %d: %v", n, err)
				}
			case 3:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("write %d: %v", n, err)
				}
			}
		})
	}
	close(end)
	wg.Wait()
	rows, err := d.Query(t.Context(), `SELECT n FROM m ORDER BY n`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := 0
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n%5 != 0 && n%5 != 4 {
			t.Errorf("row %d", n)
		}
		got++
	}
	if err := rows.Close(); err != nil || got != 40 {
		t.Errorf("%d rows, %v; want 40", got, err)
	}
}

// TestWaitingWriteIsDropped ends the context of a write before its turn.
func TestWaitingWriteIsDropped(t *testing.T) {
	d := dbtest.SQLite(t)
	for name, write := range map[string]func(context.Context, func(*db.Tx) error) error{"Write": d.Write, "WriteSoon": d.WriteSoon} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			err := d.Write(t.Context(), func(*db.Tx) error {
				waiting := make(chan error)
				go func() {
					waiting <- write(ctx, func(*db.Tx) error { return errors.New("it ran") })
				}()
				cancel()
				return <-waiting
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if err := write(ctx, func(*db.Tx) error { return errors.New("it ran") }); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestWriteSoon holds that the disk is waited for by Write, and on SQLite not by WriteSoon, whatever came before.
func TestWriteSoon(t *testing.T) {
	for name, open := range map[string]struct {
		url         func(testing.TB) string
		level       string
		soon, later string
	}{
		"sqlite":   {func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "soon.db") }, `SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous`, "1", "2"},
		"postgres": {dbtest.PostgresURL, `SELECT current_setting('synchronous_commit')`, "on", "on"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), open.url(t), db.Options{Sync: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			create(t, d, `CREATE TABLE s (n BIGINT NOT NULL PRIMARY KEY)`)
			put := func(write func(context.Context, func(*db.Tx) error) error, n int, fails error) (level string) {
				t.Helper()
				err := write(t.Context(), func(tx *db.Tx) error {
					if err := tx.QueryRow(t.Context(), open.level).Scan(&level); err != nil {
						return err
					}
					if _, err := tx.Exec(t.Context(), `INSERT INTO s (n) VALUES ($1)`, n); err != nil {
						return err
					}
					return fails
				})
				if !errors.Is(err, fails) {
					t.Fatal(err)
				}
				return level
			}
			for n := range 3 {
				if level := put(d.WriteSoon, 3*n, nil); level != open.soon {
					t.Errorf("WriteSoon: synchronous %s, want %s", level, open.soon)
				}
				if level := put(d.Write, 3*n+1, nil); level != open.later {
					t.Errorf("Write: synchronous %s, want %s", level, open.later)
				}
				put(d.WriteSoon, 3*n+2, errors.New("no"))
			}
			if n := count(t, d, "s"); n != 6 {
				t.Errorf("%d rows, want 6", n)
			}
			// Behind one that takes its time, both kinds gather.
			var wg sync.WaitGroup
			for n := range 60 {
				wg.Go(func() {
					write, want := d.Write, open.later
					if n%3 > 0 {
						write, want = d.WriteSoon, ""
					}
					if level := put(write, 100+n, nil); want != "" && level != want {
						t.Errorf("Write among others: synchronous %s, want %s", level, want)
					}
				})
			}
			wg.Wait()
			if n := count(t, d, "s"); n != 66 {
				t.Errorf("%d rows, want 66", n)
			}
		})
	}
}

// TestLogBeginsAnew writes several times what the log is to hold, and looks that it is moved into the database beside the
// writes, and its file used again.
func TestLogBeginsAnew(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 150 MB")
	}
	file := filepath.Join(t.TempDir(), "log.db")
	d := dbtest.Open(t, "sqlite:"+file)
	create(t, d, `CREATE TABLE big (id BIGINT NOT NULL PRIMARY KEY, x BYTEA NOT NULL)`)
	size := func(suffix string) int64 {
		fi, err := os.Stat(file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size() >> 20
	}
	for n := range 150 {
		write(t, d, `INSERT INTO big (id, x) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET x = $2`, n%20, make([]byte, 1<<20))
		if n == 100 && size("") < 15 {
			t.Errorf("the database has %d MiB after %d were written", size(""), n)
		}
	}
	if n := size("-wal"); n > 64 {
		t.Errorf("the log has %d MiB", n)
	}
}

// TestLogIsBounded writes past a reader that stays, then without it.
func TestLogIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	file := filepath.Join(t.TempDir(), "log.db")
	d := dbtest.Open(t, "sqlite:"+file)
	create(t, d, `CREATE TABLE big (id BIGINT NOT NULL PRIMARY KEY, x BYTEA NOT NULL)`)
	size := func() int64 {
		fi, err := os.Stat(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size() >> 20
	}
	x := make([]byte, 1<<20)
	start := time.Now()
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM big`).Scan(new(int)); err != nil {
			return err
		}
		for n := range 80 {
			write(t, d, `INSERT INTO big (id, x) VALUES ($1, $2)`, n, x)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if size() < 64 || time.Since(start) > 30*time.Second {
		t.Errorf("%d MiB of log after %v", size(), time.Since(start))
	}
	// Then with readers that come and go, but are never all away.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := d.QueryRow(t.Context(), `SELECT SUM(LENGTH(x)) FROM big`).Scan(new(int)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 60 {
		write(t, d, `UPDATE big SET x = $2 WHERE id = $1`, n, x)
		if size() > 110 {
			t.Errorf("the log has %d MiB", size())
			break
		}
	}
	close(stop)
	wg.Wait()
}

func TestReset(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := d.Write(ctx, func(tx *db.Tx) error {
						_, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2)`, fmt.Sprint(i, "-", n), "x")
						return err
					}); err != nil {
						t.Error(err)
						return
					}
					if err := d.QueryRow(ctx, `SELECT COUNT(*) FROM meta`).Scan(new(int)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 3 {
			create(t, d, `CREATE TABLE a (id TEXT NOT NULL PRIMARY KEY)`, `CREATE TABLE b (id TEXT NOT NULL PRIMARY KEY, a TEXT NOT NULL REFERENCES a (id))`,
				`INSERT INTO a (id) VALUES ('a')`, `INSERT INTO b (id, a) VALUES ('b', 'a')`)
			if err := d.Reset(ctx); err != nil {
				t.Fatal(err)
			}
			if err := d.QueryRow(ctx, `SELECT COUNT(*) FROM b`).Scan(new(int)); err == nil {
				t.Error("a table is left")
			}
		}
		close(stop)
		wg.Wait()
		if err := d.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d, "meta"); n != 0 {
			t.Errorf("%d rows left", n)
		}
		// Foreign keys are in force again.
		create(t, d, `CREATE TABLE a (id TEXT NOT NULL PRIMARY KEY)`, `CREATE TABLE b (a TEXT NOT NULL REFERENCES a (id))`)
		err := d.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO b (a) VALUES ('nobody')`)
			return err
		})
		if !db.IsForeignKey(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		_, queryErr := d.Query(ctx, `SELECT 1`)
		for name, err := range map[string]error{
			"write": d.Write(ctx, func(*db.Tx) error { return nil }),
			"read":  d.Read(ctx, func(*db.Tx) error { return nil }),
			"row":   d.QueryRow(ctx, `SELECT 1`).Scan(new(int)),
			"query": queryErr,
		} {
			if !errors.Is(err, db.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestKilled kills a writing process and looks for what it had acknowledged.
func TestKilled(t *testing.T) {
	if url := os.Getenv("DB_TEST_WRITER"); url != "" {
		writeUntilKilled(url)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	urls := map[string]func(testing.TB) string{
		"sqlite":   func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "killed.db") },
		"postgres": dbtest.PostgresURL,
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			url := url(t)
			seen := 0
			for range 3 {
				acked := runWriter(t, url)
				d, err := db.Open(t.Context(), url, db.Options{Sync: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range acked {
					var value string
					if err := d.QueryRow(t.Context(), `SELECT value FROM meta WHERE key = $1`, key).Scan(&value); err != nil || value != strings.Repeat(key, 20) {
						t.Errorf("acknowledged %s: %v", key, err)
					}
				}
				seen += len(acked)
				if n := count(t, d, "meta"); n < seen {
					t.Errorf("%d rows, %d were acknowledged", n, seen)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d acknowledged writes found", seen)
		})
	}
}

// runWriter starts a writing process, kills it, and returns the keys that it
// had printed.
func runWriter(t *testing.T, url string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "DB_TEST_WRITER="+url)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a torn line was not acknowledged to anybody
		}
		acked = append(acked, strings.TrimSpace(line))
		if len(acked) == 300 {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if len(acked) < 300 {
		t.Fatalf("the writer ended by itself after %d writes", len(acked))
	}
	return acked
}

func writeUntilKilled(url string) {
	ctx := context.Background()
	d, err := db.Open(ctx, url, db.Options{Sync: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d-%d-%d", os.Getpid(), i, n)
				err := d.Write(ctx, func(tx *db.Tx) error {
					_, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2)`, key, strings.Repeat(key, 20))
					return err
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				_, _ = io.WriteString(os.Stdout, key+"\n")
				mu.Unlock()
			}
		}()
	}
	select {}
}
