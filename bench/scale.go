package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
)

// few is how many things the many are compared with.
const few = 1000

// scale measures the registry with a few things and with many.
func scale() ([]row, error) {
	s, err := start(databaseArgs()...)
	if err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	var figures [2]map[string]float64
	var order []string
	for i, n := range []int{few, *things} {
		if err := s.halt(); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := s.fill(n); err != nil {
			return nil, fmt.Errorf("fill in %d things: %w", n, err)
		}
		fmt.Fprintf(os.Stderr, "%d things after %v\n", n, time.Since(begin).Round(time.Second))
		if err := s.run(); err != nil {
			return nil, err
		}
		if figures[i], order, err = s.registry(n); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, what := range order {
		a, b := figures[0][what], figures[1][what]
		rows = append(rows, row{what, fmt.Sprintf("%.0f", b), fmt.Sprintf("%.0f with %d things: %.2f×", a, few, a/b), "2×"})
	}
	return rows, nil
}

func databaseArgs() []string {
	if *database == "" {
		return nil
	}
	return []string{"--database", *database}
}

// halt ends the server; its directory stays.
func (s *server) halt() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// thingName names a thing of fill; half of them are of the type camera, one in
// a hundred of the type rare.
func thingName(i int) string { return fmt.Sprintf("dev-%08d", i) }

// fill brings the things of a stopped server up to n, each with attributes and
// a certificate.
func (s *server) fill(n int) error {
	ctx := context.Background()
	at := *database
	if at == "" {
		at = "sqlite:" + filepath.Join(s.dir, "thingd.db")
	}
	d, err := db.Open(ctx, at, db.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	var have int
	if err := d.QueryRow(ctx, `SELECT COUNT(*) FROM iot_things WHERE name >= 'dev-' AND name < 'dev.'`).Scan(&have); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	if have == 0 {
		err := d.Write(ctx, func(tx *db.Tx) error {
			for _, name := range []string{"camera", "rare"} {
				if _, err := tx.Exec(ctx, `INSERT INTO iot_thing_types (account, region, name, id, description, searchable, created)
					VALUES ($1, 'us-east-1', $2, $2, '', '[]', $3)`, s.root.AccountID, name, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	const batch = 2000
	for from := have; from < n; from += batch {
		if err := d.Write(ctx, func(tx *db.Tx) error { return s.fillBatch(ctx, tx, from, min(from+batch, n), now) }); err != nil {
			return err
		}
	}
	if *database == "" {
		return nil
	}
	// As PostgreSQL does by itself some time after so many rows.
	return d.Write(ctx, func(tx *db.Tx) error { _, err := tx.Exec(ctx, `ANALYZE`); return err })
}

func (s *server) fillBatch(ctx context.Context, tx *db.Tx, from, to int, now int64) error {
	things := newInsert("iot_things (account, region, name, id, type, attributes, version, created)", 8)
	attributes := newInsert("iot_thing_attributes (account, region, thing, name, value, type)", 6)
	certificates := newInsert("iot_certificates (account, region, id, status, mode, pem, not_before, not_after, version, generation, created, modified)", 12)
	principals := newInsert("iot_thing_principals (account, region, thing, principal, certificate, exclusive, created)", 7)
	account, region := s.root.AccountID, "us-east-1"
	for i := from; i < to; i++ {
		name := thingName(i)
		var kind any
		switch {
		case i%100 == 1:
			kind = "rare"
		case i%2 == 0:
			kind = "camera"
		}
		values := map[string]string{"model": fmt.Sprintf("m%d", i%4), "serial": fmt.Sprintf("s%08d", (i*7919)%100_000_000), "site": fmt.Sprintf("site-%d", i/500)}
		document, err := json.Marshal(values)
		if err != nil {
			return err
		}
		things.add(account, region, name, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), kind, string(document), 1, now+int64(i))
		for k, v := range values {
			attributes.add(account, region, name, k, v, kind)
		}
		id := certificateID(i)
		certificates.add(account, region, id, "ACTIVE", "DEFAULT", "-", now, now, 1, id, now+int64(i), now+int64(i))
		principals.add(account, region, name, "arn:aws:iot:"+region+":"+account+":cert/"+id, id, false, now)
	}
	for _, in := range []*insert{things, attributes, certificates, principals} {
		if err := in.run(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func certificateID(i int) string { return fmt.Sprintf("%064x", uint64(i)*0x9E3779B97F4A7C15) }

// insert is one INSERT of many rows.
type insert struct {
	into    string
	columns int
	args    []any
}

func newInsert(into string, columns int) *insert { return &insert{into: into, columns: columns} }

func (in *insert) add(values ...any) { in.args = append(in.args, values...) }

// run inserts. SQLite looks for each named parameter among all that came before
// it: statements are kept short.
func (in *insert) run(ctx context.Context, tx *db.Tx) error {
	most := 600 / in.columns * in.columns
	for len(in.args) > 0 {
		args := in.args[:min(most, len(in.args))]
		in.args = in.args[len(args):]
		var b strings.Builder
		b.WriteString("INSERT INTO " + in.into + " VALUES ")
		for i := range args {
			switch {
			case i%in.columns > 0:
				b.WriteByte(',')
			case i > 0:
				b.WriteString("),(")
			default:
				b.WriteByte('(')
			}
			fmt.Fprintf(&b, "$%d", i+1)
		}
		b.WriteByte(')')
		if _, err := tx.Exec(ctx, b.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// registry measures requests per second of what has to hold whatever the
// number of things.
func (s *server) registry(n int) (figures map[string]float64, order []string, err error) {
	figures = map[string]float64{}
	measure := func(what string, f func() (float64, error)) error {
		v, err := f()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		figures[what], order = v, append(order, what)
		fmt.Fprintf(os.Stderr, "  %-56s %.0f\n", what, v)
		return nil
	}
	for _, g := range []struct{ what, path, middle string }{
		{"describe-thing", "/things/" + thingName(n/2), ""},
		{"list-things, first page", "/things?", ""},
		{"list-things, page in the middle", "/things?", "yes"},
		{"list-things by a type of half of them, first page", "/things?thingTypeName=camera&", ""},
		{"list-things by that type, page in the middle", "/things?thingTypeName=camera&", "yes"},
		{"list-things by a type of few", "/things?thingTypeName=rare&maxResults=10&", ""},
		{"list-things by an attribute of a quarter, first page", "/things?attributeName=model&attributeValue=m1&", ""},
		{"list-things by that attribute, page in the middle", "/things?attributeName=model&attributeValue=m1&", "yes"},
		{"list-things by an attribute of one", "/things?attributeName=serial&attributeValue=s00007919&", ""},
		{"list-things by a prefix of all values, first page", "/things?attributeName=site&attributeValue=site-&usePrefixAttributeValue=true&", ""},
		{"list-things by that prefix, page in the middle", "/things?attributeName=site&attributeValue=site-&usePrefixAttributeValue=true&", "yes"},
		{"list-things by a prefix of one value", "/things?attributeName=serial&attributeValue=s0000791&usePrefixAttributeValue=true&", ""},
		{"list-things by type and attribute, many of each", "/things?thingTypeName=camera&attributeName=model&attributeValue=m2&", ""},
		{"list-things by a type of few and an attribute of many", "/things?thingTypeName=rare&maxResults=10&attributeName=model&attributeValue=m1&", ""},
		{"list-things by type and an attribute of few", "/things?thingTypeName=camera&attributeName=site&attributeValue=site-1&", ""},
		{"list-things by type and a prefix of all values", "/things?thingTypeName=camera&attributeName=site&attributeValue=site-&usePrefixAttributeValue=true&", ""},
		{"list-thing-principals", "/things/" + thingName(n/2) + "/principals", ""},
		{"list-certificates, first page", "/certificates?", ""},
	} {
		path := g.path
		if g.middle != "" {
			if path, err = s.middle(path, n); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", g.what, err)
			}
		}
		if err := measure(g.what, func() (float64, error) { return s.gets(path) }); err != nil {
			return nil, nil, err
		}
	}
	if err := measure("create-thing with attributes", func() (float64, error) { return s.creates(n) }); err != nil {
		return nil, nil, err
	}
	err = measure("attach-thing-principal", func() (float64, error) { return s.attaches(n) })
	return figures, order, err
}

// fastest runs measure for each round. Of what else the machine does at the same
// time the fastest has the least in it, and only the work is to be compared.
func fastest(measure func() (float64, error)) (float64, error) {
	best := 0.0
	for range *rounds {
		v, err := measure()
		if err != nil {
			return 0, err
		}
		best = max(best, v)
	}
	return best, nil
}

// gets is how many GETs of a path are answered in a second.
func (s *server) gets(path string) (float64, error) {
	return fastest(func() (float64, error) {
		return rate(func(int) (func() error, error) {
			request, err := s.signed("GET", path, "")
			if err != nil {
				return nil, err
			}
			c, err := dial(s.apiHost())
			return func() error { return c.do(request) }, err
		})
	})
}

// middle pages through the first half of a listing, and returns the path of
// the page behind.
func (s *server) middle(path string, n int) (string, error) {
	seen, token := 0, ""
	begin := time.Now()
	half := n / 2
	switch {
	case strings.Contains(path, "camera"):
		half = n / 4
	case strings.Contains(path, "model"):
		half = n / 8
	}
	for seen < half {
		var page struct {
			Things    []struct{} `json:"things"`
			NextToken string     `json:"nextToken"`
		}
		at := path + "maxResults=" + strconv.Itoa(min(half, 250))
		if token != "" {
			at += "&nextToken=" + url.QueryEscape(token)
		}
		if err := s.call("GET", at, "iot", "application/json", "", nil, &page); err != nil {
			return "", err
		}
		if page.NextToken == "" {
			return "", errors.New("the listing has no middle")
		}
		if seen, token = seen+len(page.Things), page.NextToken; time.Since(begin) > 2*time.Minute {
			fmt.Fprintf(os.Stderr, "  after two minutes of pages only at %d of %d\n", seen, half)
			break
		}
	}
	return path + "nextToken=" + url.QueryEscape(token), nil
}

// writes is rate for requests of which each is its own. begin numbers them.
func (s *server) writes(request func(i int) (*http.Request, string, error)) (float64, error) {
	next := make(chan int)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for i := 0; ; i++ {
			select {
			case next <- i:
			case <-stop:
				return
			}
		}
	}()
	return fastest(func() (float64, error) {
		return rate(func(int) (func() error, error) {
			c, err := dial(s.apiHost())
			return func() error {
				r, body, err := request(<-next)
				if err != nil {
					return err
				}
				if err := sigv4.Sign(r, []byte(body), s.credentials(), "us-east-1", "iot", time.Now()); err != nil {
					return err
				}
				var b strings.Builder
				if err := r.Write(&b); err != nil {
					return err
				}
				return c.do([]byte(b.String()))
			}, err
		})
	})
}

func (s *server) creates(n int) (float64, error) {
	return s.writes(func(i int) (*http.Request, string, error) {
		body := fmt.Sprintf(`{"thingTypeName":"camera","attributePayload":{"attributes":{"model":"m1","serial":"n%d"}}}`, i)
		r, err := http.NewRequest("POST", fmt.Sprintf("http://%s/things/new-%d-%d", s.apiHost(), n, i), io.NopCloser(strings.NewReader(body)))
		if err == nil {
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Type", "application/json")
		}
		return r, body, err
	})
}

// attaches attaches certificates to a second thing each, spread over all.
func (s *server) attaches(n int) (float64, error) {
	return s.writes(func(i int) (*http.Request, string, error) {
		r, err := http.NewRequest("PUT", fmt.Sprintf("http://%s/things/%s/principals", s.apiHost(), thingName((i*7919+1)%n)), nil)
		if err == nil {
			r.Header.Set("x-amzn-principal", "arn:aws:iot:us-east-1:"+s.root.AccountID+":cert/"+certificateID((i+i/n)%n))
		}
		return r, "", err
	})
}
