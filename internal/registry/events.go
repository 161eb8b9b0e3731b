package registry

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// Events publishes what happens in the registry on the reserved topics of an
// account in a region ($aws/events/…).
type Events interface {
	Publish(ctx context.Context, account, region, topic string, payload []byte) error
}

// What an event says has been done.
const (
	opCreated = "CREATED"
	opUpdated = "UPDATED"
	opDeleted = "DELETED"
	opAdded   = "ADDED"
	opRemoved = "REMOVED"
)

// notes are what a transaction did that subscribers may want to know (AWS IoT
// Core Developer Guide, "Registry events").
type notes struct {
	at  place
	now int64
	on  map[string]bool // the types that are noted
	all []note
}

// note is an event to be, on a topic under $aws/events/.
type note struct {
	topic   string
	payload any
}

// change is write for what has events: those that fn notes, of the types that
// are switched on, are published when the transaction is committed. An event
// that cannot be published is logged; the change stands.
func (s *Service) change(ctx context.Context, at place, fn func(*db.Tx, *notes) error, keys ...key) error {
	var on map[string]bool
	if s.Events != nil {
		var err error
		if on, err = s.eventsOn(ctx, at); err != nil {
			return err
		}
	}
	var n notes
	err := s.write(ctx, func(tx *db.Tx) error {
		n = notes{at: at, now: s.now(), on: on} // a transaction may run again
		return fn(tx, &n)
	}, keys...)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	for _, e := range n.all {
		payload, err := json.Marshal(e.payload)
		if err == nil {
			err = s.Events.Publish(ctx, at.account, at.region, "$aws/events/"+e.topic, payload)
		}
		if err != nil {
			s.Log.Error("registry event not published", "topic", e.topic, "error", err)
		}
	}
	return nil
}

func (n *notes) add(topic, op string, payload any) {
	n.all = append(n.all, note{topic: topic + "/" + strings.ToLower(op), payload: payload})
}

// eventHead begins every event.
type eventHead struct {
	EventType string `json:"eventType"`
	EventID   string `json:"eventId"`
	Timestamp int64  `json:"timestamp"` // ms
	Operation string `json:"operation"`
	AccountID string `json:"accountId"`
}

func (n *notes) head(typ, op string) eventHead {
	return eventHead{EventType: typ, EventID: uuid.NewString(), Timestamp: n.now, Operation: op, AccountID: n.at.account}
}

type thingEvent struct {
	eventHead
	ThingID       string            `json:"thingId"`
	ThingName     string            `json:"thingName"`
	VersionNumber int64             `json:"versionNumber"`
	ThingTypeName *string           `json:"thingTypeName"`
	Attributes    map[string]string `json:"attributes"`
}

// thing notes what became of a thing, given as it is now, or was.
func (n *notes) thing(op string, t *thing) error {
	if !n.on[iot.EventTypeThing] {
		return nil
	}
	attrs, err := parseAttributes(t.attributes)
	if err != nil {
		return err
	}
	n.add("thing/"+t.name, op, thingEvent{
		eventHead: n.head("THING_EVENT", op), ThingID: t.id, ThingName: t.name, VersionNumber: t.version, ThingTypeName: t.typeName, Attributes: attrs,
	})
	return nil
}

type typeAssociationEvent struct {
	EventType     string `json:"eventType"`
	EventID       string `json:"eventId"`
	Operation     string `json:"operation"`
	ThingID       string `json:"thingId"`
	ThingName     string `json:"thingName"`
	ThingTypeName string `json:"thingTypeName"`
	Timestamp     int64  `json:"timestamp"` // ms
}

// association notes that a thing has got another type; nil is none.
func (n *notes) association(t *thing, before, after *string) {
	if !n.on[iot.EventTypeThingTypeAssociation] || text(before) == text(after) {
		return
	}
	note := func(op string, typeName *string) {
		if typeName == nil {
			return
		}
		n.add("thingTypeAssociation/thing/"+t.name+"/thingType/"+*typeName, op, typeAssociationEvent{
			EventType: "THING_TYPE_ASSOCIATION_EVENT", EventID: uuid.NewString(), Operation: op,
			ThingID: t.id, ThingName: t.name, ThingTypeName: *typeName, Timestamp: n.now,
		})
	}
	note(opRemoved, before)
	note(opAdded, after)
}

type thingTypeEvent struct {
	eventHead
	ThingTypeID           string        `json:"thingTypeId"`
	ThingTypeName         string        `json:"thingTypeName"`
	IsDeprecated          bool          `json:"isDeprecated"`
	DeprecationDate       *int64        `json:"deprecationDate"` // ms
	SearchableAttributes  []string      `json:"searchableAttributes"`
	PropagatingAttributes []propagating `json:"propagatingAttributes"`
	Description           *string       `json:"description"`
}

// propagating is an attribute that becomes a user property of MQTT 5.
type propagating struct {
	UserPropertyKey     *string `json:"userPropertyKey"`
	ThingAttribute      *string `json:"thingAttribute,omitempty"`
	ConnectionAttribute *string `json:"connectionAttribute,omitempty"`
}

// thingType notes what became of a thing type, given as it is now, or was.
func (n *notes) thingType(op string, t *thingType) error {
	if !n.on[iot.EventTypeThingType] {
		return nil
	}
	p, err := t.properties()
	if err != nil {
		return err
	}
	e := thingTypeEvent{
		eventHead: n.head("THING_TYPE_EVENT", op), ThingTypeID: t.id, ThingTypeName: t.name, IsDeprecated: t.deprecated != nil, DeprecationDate: t.deprecated,
		SearchableAttributes: append([]string{}, p.SearchableAttributes...), PropagatingAttributes: []propagating{}, Description: t.description,
	}
	if p.Mqtt5Configuration != nil {
		for _, a := range p.Mqtt5Configuration.PropagatingAttributes {
			e.PropagatingAttributes = append(e.PropagatingAttributes, propagating{a.UserPropertyKey, a.ThingAttribute, a.ConnectionAttribute})
		}
	}
	n.add("thingType/"+t.name, op, e)
	return nil
}

type groupAbove struct {
	ARN string `json:"groupArn"`
	ID  string `json:"groupId"`
}

type thingGroupEvent struct {
	eventHead
	ThingGroupID    string            `json:"thingGroupId"`
	ThingGroupName  string            `json:"thingGroupName"`
	VersionNumber   int64             `json:"versionNumber"`
	ParentGroupName *string           `json:"parentGroupName"`
	ParentGroupID   *string           `json:"parentGroupId"`
	Description     *string           `json:"description"`
	RootToParent    []groupAbove      `json:"rootToParentThingGroups"`
	Attributes      map[string]string `json:"attributes"`
	DynamicMapping  *string           `json:"dynamicGroupMappingId"` // of dynamic groups
}

type hierarchyEvent struct {
	eventHead
	ThingGroupID   string `json:"thingGroupId"`
	ThingGroupName string `json:"thingGroupName"`
	ChildGroupID   string `json:"childGroupId"`
	ChildGroupName string `json:"childGroupName"`
}

// thingGroup notes what became of a group, given as it is now, or was, and of
// its place under its parent.
func (n *notes) thingGroup(ctx context.Context, tx *db.Tx, op string, g *thingGroup) error {
	if !n.on[iot.EventTypeThingGroup] && !n.on[iot.EventTypeThingGroupHierarchy] {
		return nil
	}
	attrs, err := parseAttributes(g.attributes)
	if err != nil {
		return err
	}
	e := thingGroupEvent{
		eventHead: n.head("THING_GROUP_EVENT", op), ThingGroupID: g.id, ThingGroupName: g.name, VersionNumber: g.version, ParentGroupName: g.parent,
		Description: g.description, RootToParent: []groupAbove{}, Attributes: attrs,
	}
	above := strings.Split(g.path, "/")
	for _, name := range above[:len(above)-1] {
		parent, err := thingGroupRow(ctx, tx, n.at, name)
		if err != nil {
			return err
		}
		e.RootToParent = append(e.RootToParent, groupAbove{ARN: n.at.arn("thinggroup/" + name), ID: parent.id})
		e.ParentGroupID = &parent.id
	}
	if n.on[iot.EventTypeThingGroup] {
		n.add("thingGroup/"+g.name, op, e)
	}
	if g.parent == nil || op == opUpdated || !n.on[iot.EventTypeThingGroupHierarchy] {
		return nil
	}
	hierarchy := opAdded
	if op == opDeleted {
		hierarchy = opRemoved
	}
	n.add("thingGroupHierarchy/thingGroup/"+*g.parent+"/childThingGroup/"+g.name, hierarchy, hierarchyEvent{
		eventHead: n.head("THING_GROUP_HIERARCHY_EVENT", hierarchy), ThingGroupID: *e.ParentGroupID, ThingGroupName: *g.parent, ChildGroupID: g.id, ChildGroupName: g.name,
	})
	return nil
}

type membershipEvent struct {
	eventHead
	GroupARN     string `json:"groupArn"`
	GroupID      string `json:"groupId"`
	ThingARN     string `json:"thingArn"`
	ThingID      string `json:"thingId"`
	MembershipID string `json:"membershipId"`
}

// membership notes that a thing came into a group or left it.
func (n *notes) membership(ctx context.Context, tx *db.Tx, op, thingName, group string) error {
	if !n.on[iot.EventTypeThingGroupMembership] {
		return nil
	}
	t, err := thingRow(ctx, tx, n.at, thingName)
	if errors.Is(err, db.ErrNotFound) {
		return errNoThing(thingName)
	}
	if err != nil {
		return err
	}
	g, err := thingGroupRow(ctx, tx, n.at, group)
	if err != nil {
		return err
	}
	n.add("thingGroupMembership/thingGroup/"+group+"/thing/"+thingName, op, membershipEvent{
		eventHead: n.head("THING_GROUP_MEMBERSHIP_EVENT", op), GroupARN: n.at.arn("thinggroup/" + group), GroupID: g.id,
		ThingARN: n.at.arn("thing/" + thingName), ThingID: t.id,
		MembershipID: uuid.NewSHA1(uuid.MustParse(g.id), []byte(t.id)).String(), // the same for as long as it lasts
	})
	return nil
}
