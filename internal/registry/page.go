package registry

import (
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
