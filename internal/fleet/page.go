package fleet

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/db"
)

// defaultPage is how many items a page has when the request does not say.
const defaultPage = 50

func pageSize(n *int64) int {
	if n == nil {
		return defaultPage
	}
	return int(*n)
}

// token makes the marker of the page after an item of a listing.
func token(list, last string) *string {
	return new(base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + last)))
}

// after reads a marker of a listing: the last item of the page before, empty
// for the beginning.
func after(list string, token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*token)
	if err == nil {
		of, last, ok := strings.Cut(string(raw), "\x00")
		if ok && of == list && !strings.Contains(last, "\x00") {
			return strings.ToValidUTF8(last, ""), nil
		}
	}
	return "", fleet.ErrInvalidRequestException("Invalid nextToken: it is not of this listing")
}

// page reads the rows of one page: each is scanned by item, which answers the
// row's key. The query selects up to size+1 rows; the marker of the next page
// is nil at the end.
func page(rows *db.Rows, list string, size int, item func(*db.Rows) (string, error)) (next *string, err error) {
	defer rows.Close()
	last := ""
	for n := 0; rows.Next(); n++ {
		if n == size {
			next = token(list, last)
			break
		}
		if last, err = item(rows); err != nil {
			return nil, err
		}
	}
	return next, rows.Close()
}

// prefixRange gives the range [from, to) of the texts that begin with prefix.
// No text in the database has U+10FFFF in it, which is no character.
func prefixRange(prefix string) (from, to string) { return prefix, prefix + "\U0010FFFF" }

// pagedQuery runs a query for one page.
func (s *Service) pagedQuery(ctx context.Context, list string, size int, item func(*db.Rows) (string, error), query string, args ...any) (*string, error) {
	rows, err := s.DB.Query(ctx, query, append(args, size+1)...)
	if err != nil {
		return nil, err
	}
	return page(rows, list, size, item)
}
