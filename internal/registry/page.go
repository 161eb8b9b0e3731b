package registry

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
)

// defaultPage is how many items a page has when the request does not say.
const defaultPage = 25

func pageSize(n *int64) int64 {
	if n == nil {
		return defaultPage
	}
	return *n
}

// cursor says where a page begins: after the item with this creation time (in
// listings that have that order) and name. The zero cursor is the beginning.
type cursor struct {
	created int64
	name    string
}

// token makes the marker of the page after c. Its characters are those that
// the model allows in markers; it says which listing it is of.
func (c cursor) token(list string) *string {
	s := base64.StdEncoding.EncodeToString([]byte(list + "\x00" + strconv.FormatInt(c.created, 36) + "\x00" + c.name))
	return &s
}

// cursorOf reads a marker of a listing. set says that there was one.
func cursorOf(list string, token *string) (c cursor, set bool, err error) {
	if token == nil {
		return cursor{}, false, nil
	}
	raw, err := base64.StdEncoding.DecodeString(*token)
	if err == nil {
		if parts := strings.SplitN(string(raw), "\x00", 3); len(parts) == 3 && parts[0] == list && !strings.Contains(parts[2], "\x00") {
			if created, err := strconv.ParseInt(parts[1], 36, 64); err == nil {
				return cursor{created: created, name: strings.ToValidUTF8(parts[2], "")}, true, nil
			}
		}
	}
	return cursor{}, false, iot.ErrInvalidRequestException("Invalid token: it is not of this listing")
}

// byCreation is the end of a query for one page of what is listed by creation:
// newest first unless ascending. It goes after a WHERE clause with $1 account
// and $2 region; its own parameters are the rest of args.
func byCreation(name string, ascending *bool, after cursor, set bool, size int64, args ...any) (string, []any) {
	op, dir := "<", "DESC"
	if ascending != nil && *ascending {
		op, dir = ">", "ASC"
	}
	var b strings.Builder
	n := len(args)
	if set {
		b.WriteString(" AND (created, " + name + ") " + op + " ($" + strconv.Itoa(n+1) + ", $" + strconv.Itoa(n+2) + ")")
		args = append(args, after.created, after.name)
		n += 2
	}
	b.WriteString(" ORDER BY created " + dir + ", " + name + " " + dir + " LIMIT $" + strconv.Itoa(n+1))
	return b.String(), append(args, size+1)
}

// byName is one page of a listing of names in their order. The query selects
// column and ends in its WHERE clause, whose parameters are args.
func (s *Service) byName(ctx context.Context, list, query, column string, token *string, max *int64, args ...any) (names []string, next *string, err error) {
	after, _, err := cursorOf(list, token)
	if err != nil {
		return nil, nil, err
	}
	size, n := pageSize(max), len(args)
	rows, err := s.DB.Query(ctx, query+" AND "+column+" > $"+strconv.Itoa(n+1)+" ORDER BY "+column+" LIMIT $"+strconv.Itoa(n+2), append(args, after.name, size+1)...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if int64(len(names)) == size {
			next = cursor{name: names[size-1]}.token(list)
			break
		}
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, nil, err
		}
		names = append(names, name)
	}
	return names, next, rows.Close()
}
