package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/config"
)

type auditCmd struct {
	target

	EventName string `placeholder:"NAME" help:"Only this operation, such as CreateUser or ConsoleLogin."`
	User      string `placeholder:"NAME" help:"Only of this user, role, session, certificate or ARN; root is the root user."`
	Account   string `placeholder:"ID" help:"Only of this account."`
	AccessKey string `placeholder:"ID" help:"Only with this access key id."`
	Resource  string `placeholder:"NAME" help:"Only on the resource of this name or ARN."`
	Source    string `placeholder:"SERVICE" help:"Only of this service: iam, sts, iot, kinesisvideo, signin."`
	RequestID string `placeholder:"ID" help:"Only the request of this id."`
	Error     bool   `help:"Only what was refused."`
	ReadOnly  bool   `xor:"kind" help:"Only what reads."`
	WriteOnly bool   `xor:"kind" help:"Only what changes something."`
	Since     string `placeholder:"TIME" help:"From this time on: 2006-01-02T15:04:05Z, 2006-01-02 15:04, 2006-01-02, or so long ago: 90m, 12h, 7d."`
	Until     string `placeholder:"TIME" help:"Up to this time."`
	Max       *int   `placeholder:"N" help:"At most so many (50); 0 is all. With --follow: so many to begin with (10); 0 is none."`
	JSON      bool   `name:"json" help:"Print the records whole and as they are, one JSON object a line."`
	Follow    bool   `short:"f" help:"Show the last ten records and go on with new ones as they come, in the order of time."`
}

// Run prints records.
func (a *auditCmd) Run(ctx context.Context, c *CLI) error {
	q, err := a.query(time.Now())
	if err != nil {
		return err
	}
	dir, err := config.FindAudit(a.Data, a.Dev, os.Getenv)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(c.Stdout)
	show := row
	if a.JSON {
		show = jsonLine
	} else if err := header(out); err != nil {
		return err
	}
	if a.Follow {
		return audit.Follow(ctx, dir, q, a.most(), func(e *audit.Entry) error {
			if err := show(out, e); err != nil {
				return err
			}
			return out.Flush()
		})
	}
	n, most := 0, a.most()
	for e, err := range audit.Lookup(ctx, dir, q) {
		if err != nil {
			return err
		}
		if err := show(out, e); err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	return out.Flush()
}

// most is how many records are shown that are there already.
func (a *auditCmd) most() int {
	switch {
	case a.Max != nil:
		return *a.Max
	case a.Follow:
		return 10
	}
	return 50
}

func (a *auditCmd) query(now time.Time) (q audit.Query, err error) {
	if a.Max != nil && *a.Max < 0 {
		return q, fmt.Errorf("--max: %d is less than 0", *a.Max)
	}
	q = audit.Query{
		EventName: a.EventName, User: a.User, Account: a.Account, AccessKey: a.AccessKey, Resource: a.Resource,
		Source: a.Source, RequestID: a.RequestID, Refused: a.Error,
	}
	if a.ReadOnly || a.WriteOnly {
		q.ReadOnly = &a.ReadOnly
	}
	if q.Since, err = moment(a.Since, now); err != nil {
		return q, fmt.Errorf("--since: %w", err)
	}
	if q.Until, err = moment(a.Until, now); err != nil {
		return q, fmt.Errorf("--until: %w", err)
	}
	return q, nil
}

// moment reads a time, or how long ago it was. A time without a zone is local.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	ago := s
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 1e5 {
			ago = strconv.Itoa(24*n) + "h"
		}
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a time such as 2006-01-02T15:04:05Z nor a duration such as 90m, 12h or 7d", s)
}

func jsonLine(w io.Writer, e *audit.Entry) error {
	_, err := fmt.Fprintf(w, "%s\n", e.Line)
	return err
}

// widths are those of the columns, wide enough for most; what is longer is
// clipped. The last has no end.
var widths = [...]int{19, 12, 24, 34, 32, 15, maxCell}

func header(w io.Writer) error {
	return cells(w, "TIME ("+time.Now().Format("MST")+")", "ACCOUNT", "WHO", "WHAT", "ON", "FROM", "RESULT")
}

// cells writes a line of the table.
func cells(w io.Writer, values ...string) error {
	var line strings.Builder
	for i, v := range values {
		v = printable(v, widths[i])
		line.WriteString(v)
		if i < len(values)-1 {
			line.WriteString(strings.Repeat(" ", 2+widths[i]-utf8.RuneCountInString(v)))
		}
	}
	_, err := io.WriteString(w, line.String()+"\n")
	return err
}

func row(w io.Writer, e *audit.Entry) error {
	account := e.Account // one event can be on record in two
	if account == "" && e.UserIdentity.AccountID != audit.Anonymous {
		account = e.UserIdentity.AccountID
	}
	on := e.On()
	if more := len(e.Resources) - 1; more > 0 {
		count := " +" + strconv.Itoa(more)
		on = clip(on, widths[4]-len(count)) + count
	}
	return cells(w, e.EventTime.Local().Format(time.DateTime), account, e.Who(), e.Service()+":"+e.EventName, on, e.SourceIP, e.Result())
}

// maxCell is how much of a value is shown in the last column.
const maxCell = 80

// clip cuts a value that is too long.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most-1]) + "…"
	}
	return s
}

// printable is a value for a terminal: callers choose many of them.
func printable(s string, most int) string {
	if s == "" {
		return "-"
	}
	return clip(strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s), most)
}
