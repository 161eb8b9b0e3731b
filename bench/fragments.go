package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
)

// fragmentEvery is the time between two fragments of the stream.
const fragmentEvery = 2000

// index measures ListFragments over a stream of very many fragments: how long one client waits for a page.
func index() ([]row, error) {
	args := []string{"--limits", "mqtt"} // AWS's are five calls a second
	if *database != "" {
		args = append(args, "--database", *database)
	}
	srv, err := start(args...)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	s := &indexed{srv, time.Now().UnixMilli() - int64(*fragments)*fragmentEvery}
	if _, err := s.video("/createStream", map[string]any{"StreamName": "bench", "DataRetentionInHours": 87600}); err != nil {
		return nil, err
	}
	begin := time.Now()
	err = s.halt()
	if err == nil {
		err = s.fillFragments()
	}
	if err == nil {
		err = s.run()
	}
	if err != nil {
		return nil, fmt.Errorf("fill in %d fragments: %w", *fragments, err)
	}
	fmt.Fprintf(os.Stderr, "%d fragments after %v\n", *fragments, time.Since(begin).Round(time.Second))
	var rows []row
	for _, clock := range []string{"SERVER_TIMESTAMP", "PRODUCER_TIMESTAMP"} {
		for _, at := range []struct {
			what string
			from int // fragment
		}{{"first page", 0}, {"page in the middle", *fragments / 2}, {"last page", *fragments - 100}} {
			r, err := s.pages(clock, at.what, at.from)
			if err != nil {
				return nil, fmt.Errorf("%s by %s: %w", at.what, clock, err)
			}
			rows = append(rows, r...)
		}
	}
	return rows, nil
}

// indexed is a server with a stream of many fragments, the last of which is of now.
type indexed struct {
	*server
	first int64 // the server's time of the first
}

func (s *indexed) time(i int) int64 { return s.first + int64(i)*fragmentEvery }

// fillFragments puts the index of the stream into the database of a stopped server. The database makes the rows
// itself: they need not be sent.
func (s *indexed) fillFragments() error {
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
	const batch = 250_000
	for from := 0; from < *fragments; from += batch {
		err := d.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO video_fragments (account, region, stream, number, producer, server, duration, chunk,
					header_offset, header_size, media_offset, media_size)
				WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
				SELECT s.account, s.region, s.id, '91343' || substr(CAST(1000000000000000000 + i AS TEXT), 2) || '000000000000000000000000',
					$3 + i * $4 - 3600000 + (i * 7919) % 1000, $3 + i * $4, $4, 'video/' || s.id || '/' || CAST(i / 150 AS TEXT) || '.mkv', 0, 300, 300 + (i % 150) * 250000, 250000
				FROM n CROSS JOIN video_streams s WHERE s.name = 'bench'`, int64(from), int64(min(from+batch, *fragments)), s.first, int64(fragmentEvery))
			return err
		})
		if err != nil {
			return err
		}
	}
	if *database == "" {
		return nil
	}
	// As PostgreSQL does by itself some time after so many rows.
	return d.Write(ctx, func(tx *db.Tx) error { _, err := tx.Exec(ctx, `ANALYZE`); return err })
}

// pages measures the page that begins with a fragment, and the one behind it by its token.
func (s *indexed) pages(clock, what string, from int) ([]row, error) {
	in := map[string]any{"StreamName": "bench", "MaxResults": 100, "FragmentSelector": map[string]any{"FragmentSelectorType": clock,
		"TimestampRange": map[string]float64{"StartTimestamp": float64(s.time(0)-7_200_000) / 1000, "EndTimestamp": float64(time.Now().Unix())}}}
	if from > 0 {
		start := s.time(from)
		if clock == "PRODUCER_TIMESTAMP" {
			start -= 3_600_000
		}
		in["FragmentSelector"].(map[string]any)["TimestampRange"].(map[string]float64)["StartTimestamp"] = float64(start) / 1000
	}
	answer, err := s.video("/listFragments", in)
	if err != nil {
		return nil, err
	}
	var page struct {
		Fragments []struct{}
		NextToken string
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return nil, err
	}
	if len(page.Fragments) < 90 {
		return nil, fmt.Errorf("%d fragments are on it", len(page.Fragments))
	}
	name := strings.ToLower(strings.TrimSuffix(clock, "_TIMESTAMP"))
	rows := []row{}
	r, err := s.waits(fmt.Sprintf("list-fragments by the %s's time, %s", name, what), in)
	if err != nil {
		return nil, err
	}
	rows = append(rows, r)
	if page.NextToken != "" {
		r, err := s.waits(fmt.Sprintf("list-fragments by the %s's time, behind the %s", name, what),
			map[string]any{"StreamName": "bench", "MaxResults": 100, "NextToken": page.NextToken})
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// waits is how long one client waits for an answer.
func (s *server) waits(what string, in any) (row, error) {
	request, err := s.signedVideo("/listFragments", in)
	if err != nil {
		return row{}, err
	}
	c, err := dial(s.apiHost())
	if err != nil {
		return row{}, err
	}
	defer func() { _ = c.c.Close() }()
	var all []time.Duration
	for begin := time.Now(); time.Since(begin) < *duration; {
		one := time.Now()
		if err := c.do(request); err != nil {
			return row{}, err
		}
		all = append(all, time.Since(one))
	}
	slices.Sort(all)
	ms := func(part float64) float64 { return float64(all[int(part*float64(len(all)-1))].Microseconds()) / 1000 }
	return row{what, fmt.Sprintf("%.2f ms", ms(0.5)), fmt.Sprintf("99 %% in %.2f ms, %d calls", ms(0.99), len(all)), "10 ms"}, nil
}

// signedVideo is the wire form of a request of Kinesis Video's.
func (s *server) signedVideo(path string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+s.apiHost()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if err := sigv4.Sign(r, body, s.credentials(), "us-east-1", "kinesisvideo", time.Now()); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// video runs one operation of Kinesis Video.
func (s *server) video(path string, in any) ([]byte, error) {
	request, err := s.signedVideo(path, in)
	if err != nil {
		return nil, err
	}
	c, err := dial(s.apiHost())
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.c.Close() }()
	if _, err := c.c.Write(request); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c.c), nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}
