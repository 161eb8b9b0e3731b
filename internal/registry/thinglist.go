package registry

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
)

// ListThings lists things by name: all, those of a type, those with an
// attribute of a value, or those of a type with an attribute. Those with an
// attribute whose values begin with something come by value.
func (s *Service) ListThings(ctx context.Context, in *iot.ListThingsRequest) (*iot.ListThingsResponse, error) {
	at, size := placeOf(ctx), pageSize(in.MaxResults)
	list := "things"
	if in.AttributeName != nil && isTrue(in.UsePrefixAttributeValue) {
		list = byPrefix
	}
	after, _, err := cursorOf(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	if (in.AttributeName == nil) != (in.AttributeValue == nil) {
		return nil, iot.ErrInvalidRequestException("attributeName and attributeValue must be given together")
	}
	query, args := thingQuery(in, at, after.name, size+1)
	rows, err := s.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list things: %w", err)
	}
	defer rows.Close()
	out := &iot.ListThingsResponse{Things: []iot.ThingAttribute{}}
	for rows.Next() {
		if int64(len(out.Things)) == size {
			out.NextToken = thingsAfter(list, &out.Things[size-1], in.AttributeName)
			break
		}
		var t thing
		if err := t.scan(rows); err != nil {
			return nil, fmt.Errorf("list things: %w", err)
		}
		attrs, err := parseAttributes(t.attributes)
		if err != nil {
			return nil, err
		}
		out.Things = append(out.Things, iot.ThingAttribute{
			ThingName: &t.name, ThingArn: new(at.arn("thing/" + t.name)), ThingTypeName: t.typeName,
			Attributes: attrs, Version: &t.version,
		})
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("list things: %w", err)
	}
	return out, nil
}

// byPrefix is the listing that is not in the order of names: the one by values
// that begin with something.
const byPrefix = "things-by-prefix"

// thingsAfter is the token of the page after a thing.
func thingsAfter(list string, t *iot.ThingAttribute, attribute *string) *string {
	name := *t.ThingName
	if list == byPrefix {
		name = t.Attributes[*attribute] + " " + name // neither has blanks
	}
	return cursor{name: name}.token(list)
}

// thingQuery is one of six statements, each of which walks an index of its own
// from the page's beginning on and no further than its end.
func thingQuery(in *iot.ListThingsRequest, at place, after string, limit int64) (string, []any) {
	args := []any{at.account, at.region}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	query := ` WHERE account = $1 AND region = $2`
	if in.AttributeName != nil {
		query += ` AND name = ` + arg(*in.AttributeName)
	}
	if in.ThingTypeName != nil {
		query += ` AND type = ` + arg(*in.ThingTypeName)
	}
	switch {
	case in.AttributeName == nil:
		return `SELECT ` + thingColumns + ` FROM iot_things` + query + ` AND name > ` + arg(after) + ` ORDER BY name LIMIT ` + arg(limit), args
	case isTrue(in.UsePrefixAttributeValue):
		from, to := prefixRange(*in.AttributeValue)
		value, thing, _ := strings.Cut(after, " ")
		if value < from { // the first page
			value, thing = from, ""
		}
		query += ` AND (value, thing) > (` + arg(value) + `, ` + arg(thing) + `) AND value < ` + arg(to)
	default:
		query += ` AND value = ` + arg(*in.AttributeValue) + ` AND thing > ` + arg(after)
	}
	// CROSS JOIN: to SQLite it means that order.
	return `SELECT ` + thingColumns + ` FROM (SELECT thing, value FROM iot_thing_attributes` + query + ` ORDER BY value, thing LIMIT ` + arg(limit) + `) AS page
		CROSS JOIN iot_things WHERE account = $1 AND region = $2 AND name = page.thing ORDER BY page.value, page.thing`, args
}
