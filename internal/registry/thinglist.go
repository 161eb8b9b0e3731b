package registry

import (
	"context"
	"fmt"
	"strconv"

	"github.com/thingd/thingd/internal/api/iot"
)

// ListThings lists things by name: all, those of a type, those with an
// attribute of a value or of values that begin with it, or those of a type
// with an attribute.
func (s *Service) ListThings(ctx context.Context, in *iot.ListThingsRequest) (*iot.ListThingsResponse, error) {
	at, size := placeOf(ctx), pageSize(in.MaxResults)
	after, _, err := cursorOf("things", in.NextToken)
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
			out.NextToken = cursor{name: *out.Things[size-1].ThingName}.token("things")
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

// thingQuery is one of eight statements, of which each has an index to walk.
func thingQuery(in *iot.ListThingsRequest, at place, after string, limit int64) (string, []any) {
	args := []any{at.account, at.region, after}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	query := `SELECT ` + thingColumns + ` FROM iot_things WHERE account = $1 AND region = $2 AND name > $3`
	if in.ThingTypeName != nil {
		query += ` AND type = ` + arg(*in.ThingTypeName)
	}
	if in.AttributeName != nil {
		query += ` AND name IN (SELECT thing FROM iot_thing_attributes WHERE account = $1 AND region = $2 AND name = ` + arg(*in.AttributeName)
		if isTrue(in.UsePrefixAttributeValue) {
			from, to := prefixRange(*in.AttributeValue)
			query += ` AND value >= ` + arg(from) + ` AND value < ` + arg(to) + `)`
		} else {
			query += ` AND value = ` + arg(*in.AttributeValue) + ` AND thing > $3)`
		}
	}
	return query + ` ORDER BY name LIMIT ` + arg(limit), args
}
