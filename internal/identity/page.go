package identity

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
)

// defaultItems is the page size when a request names none.
const defaultItems = 100

// page is what a request says about paging: what comes after a key, at most
// so many.
type page struct {
	list  string // the operation; a marker of one is none of another
	after string
	limit int
}

// newPage reads Marker and MaxItems.
func newPage(list string, marker *string, items *int64) (page, error) {
	p := page{list: list, limit: int(or(items, defaultItems))}
	if marker == nil {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*marker)
	if err != nil || len(b) < 5 || binary.BigEndian.Uint32(b) != p.sum(string(b[4:])) {
		return page{}, errValidation("Invalid Marker.")
	}
	p.after = string(b[4:])
	return p, nil
}

func (p page) sum(key string) uint32 { return crc32.ChecksumIEEE([]byte(p.list + "\x00" + key)) }

// marker is what a client sends to get what comes after key.
func (p page) marker(key string) *string {
	b := binary.BigEndian.AppendUint32(nil, p.sum(key))
	s := base64.RawURLEncoding.EncodeToString(append(b, key...))
	return &s
}

// cut makes a page of the rows of a query that asked for one row more than the
// limit. next is nil on the last page.
func cut[T any](p page, rows []T, key func(T) string) (items []T, truncated *bool, next *string) {
	if len(rows) > p.limit {
		rows = rows[:p.limit]
		return rows, new(true), p.marker(key(rows[len(rows)-1]))
	}
	return notNil(rows), new(false), nil
}

// cutSorted makes a page of a whole list, which it sorts.
func cutSorted[T any](p page, all []T, key func(T) string) (items []T, truncated *bool, next *string) {
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	i := 0
	for i < len(all) && p.after != "" && key(all[i]) <= p.after {
		i++
	}
	return cut(p, all[i:], key)
}

// notNil makes an absent list an empty one: IAM answers those with an empty
// element.
func notNil[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// pathRange bounds the paths with a prefix, from and including the first to
// and excluding the second.
func pathRange(prefix *string) (from, to string) {
	from = or(prefix, "/")
	return from, from + "\u0080" // paths are ASCII
}
