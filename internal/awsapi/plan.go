package awsapi

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"
)

// kind is what a value is on the wire.
type kind int

const (
	kString kind = iota
	kInt
	kFloat
	kBool
	kTime
	kBlob
	kList
	kMap
	kStruct
	kStream
)

// location is where a member travels in REST-JSON.
type location int

const (
	inBody location = iota
	inURI
	inQuery
	inHeader
	inHeaders // a map of headers with a common prefix
	inStatus
	inPayload
)

var locations = map[string]location{
	"uri": inURI, "querystring": inQuery, "header": inHeader, "headers": inHeaders,
	"statusCode": inStatus, "payload": inPayload,
}

// structPlan is the compiled codec of a structure.
type structPlan struct {
	typ      reflect.Type
	fields   []fieldPlan
	byName   map[string]*fieldPlan // body members by wire name
	payload  *fieldPlan
	params   map[string]bool // names of query parameters; nil without any
	required fieldSet        // required members whose Go value cannot be nil
}

// fieldSet is a set of a structure's members, by their index.
type fieldSet uint64

func (s *fieldSet) add(f *fieldPlan)     { *s |= 1 << f.index }
func (s *fieldSet) remove(f *fieldPlan)  { *s &^= 1 << f.index }
func (s fieldSet) has(f *fieldPlan) bool { return s&(1<<f.index) != 0 }

// absences are the paths of required members that a request lacks and whose
// Go value does not show it: scalars and structures. Decoders leave it empty
// for a complete request, so that knowing costs nothing.
type absences []string

// note adds what a structure with the members in seen lacks.
func (a *absences) note(p *structPlan, seen fieldSet) {
	if p.required&^seen == 0 {
		return
	}
	for i := range p.fields {
		if f := &p.fields[i]; (p.required &^ seen).has(f) {
			*a = append(*a, f.path)
		}
	}
}

// under puts a path before the absences from start on.
func (a absences) under(start int, path string) {
	for i := start; i < len(a); i++ {
		a[i] = path + "." + a[i]
	}
}

// fieldPlan is a member of a structure.
type fieldPlan struct {
	index     int
	name      string // wire name
	member    string // the model's name
	path      string // as validation errors spell it: lower camel case
	loc       location
	required  bool
	jsonvalue bool
	pointer   bool // the Go field is a pointer to the value
	secret    bool // never to be logged or recorded
	flattened bool
	token     bool // clients make one up where none is given
	time      string
	val       *valuePlan
}

// valuePlan is the compiled codec of a type.
type valuePlan struct {
	kind   kind
	typ    reflect.Type // without the pointer
	shape  *constraints // never nil
	elem   *valuePlan   // of a list or map
	key    *valuePlan   // of a map
	fields *structPlan
}

// constraints are a shape with its compiled pattern.
type constraints struct {
	Shape
	once sync.Once
	re   *regexp.Regexp
}

// pattern compiles the shape's pattern at first use; nil when it has none.
func (c *constraints) pattern() *regexp.Regexp {
	if c.Pattern == "" {
		return nil
	}
	c.once.Do(func() {
		p := c.Regexp
		if p == "" {
			p = c.Pattern
		}
		c.re = regexp.MustCompile(`^(?:` + p + `)$`) // awsgen has compiled each
	})
	return c.re
}

// planner compiles the types of one service. Operations share the plans of
// structures and the patterns of shapes.
type planner struct {
	mu      sync.Mutex
	structs map[reflect.Type]*structPlan
	shapes  map[string]*constraints
}

var (
	typeTime   = reflect.TypeFor[time.Time]()
	typeReader = reflect.TypeFor[io.ReadCloser]()
	typeStream = reflect.TypeFor[Stream]()
	typeString = reflect.TypeFor[string]()
	typeTexts  = reflect.TypeFor[map[string]string]()
	noShape    constraints
)

// Plan makes an operation ready, as its first request does.
func (s *Service) Plan(op *Operation) error { return s.plan(op) }

// plan compiles an operation's codec at its first use.
func (s *Service) plan(op *Operation) error {
	op.once.Do(func() {
		s.planner.mu.Lock()
		defer s.planner.mu.Unlock()
		if op.in, op.err = s.structOf(reflect.TypeOf(op.New()).Elem()); op.err == nil {
			op.out, op.err = s.structOf(reflect.TypeOf(op.Out).Elem())
		}
	})
	return op.err
}

func (s *Service) constraints(shape string) *constraints {
	model, ok := s.Shapes[shape]
	if !ok {
		return &noShape
	}
	if c := s.planner.shapes[shape]; c != nil {
		return c
	}
	if s.planner.shapes == nil {
		s.planner.shapes = map[string]*constraints{}
	}
	c := &constraints{Shape: model}
	s.planner.shapes[shape] = c
	return c
}

func (s *Service) structOf(t reflect.Type) (*structPlan, error) {
	if p := s.planner.structs[t]; p != nil {
		return p, nil
	}
	if t.NumField() > 64 {
		return nil, fmt.Errorf("%s has more members than a fieldSet can hold", t.Name())
	}
	p := &structPlan{typ: t, byName: map[string]*fieldPlan{}, fields: make([]fieldPlan, t.NumField())}
	if s.planner.structs == nil {
		s.planner.structs = map[reflect.Type]*structPlan{}
	}
	s.planner.structs[t] = p // before its fields: shapes may be recursive
	for i := range t.NumField() {
		sf := t.Field(i)
		f := &p.fields[i]
		parts := strings.Split(sf.Tag.Get("aws"), ",")
		f.index, f.name, f.member = i, parts[0], parts[0]
		f.path = strings.ToLower(sf.Name[:1]) + sf.Name[1:]
		for _, opt := range parts[1:] {
			switch {
			case opt == "required":
				f.required = true
			case opt == "jsonvalue":
				f.jsonvalue = true
			case opt == "flattened":
				f.flattened = true
			case opt == "idempotency":
				f.token = true
			case strings.HasPrefix(opt, "time="):
				f.time = opt[len("time="):]
			case strings.HasPrefix(opt, "member="):
				f.member = opt[len("member="):]
			default:
				f.loc = locations[opt]
			}
		}
		typ := sf.Type
		if typ.Kind() == reflect.Pointer {
			f.pointer, typ = true, typ.Elem()
		}
		val, err := s.valueOf(typ, sf.Tag.Get("shape"))
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), sf.Name, err)
		}
		f.val = val
		f.secret = val.secret() || SecretMember(sf.Name) || secretShapes[sf.Tag.Get("shape")]
		if val.shape.Flattened {
			f.flattened = true
		}
		if val.shape.JSONValue {
			f.jsonvalue = true
		}
		if f.time == "" {
			f.time = val.shape.Time
		}
		switch f.loc {
		case inPayload:
			p.payload = f
		case inBody:
			p.byName[f.name] = f
		case inQuery:
			if p.params == nil {
				p.params = map[string]bool{}
			}
			p.params[f.name] = true
		}
		if f.required && !f.pointer && !val.nilable() {
			p.required.add(f)
		}
	}
	return p, nil
}

func (s *Service) valueOf(t reflect.Type, shape string) (*valuePlan, error) {
	v := &valuePlan{typ: t, shape: s.constraints(shape)}
	var err error
	switch {
	case t == typeTime:
		v.kind = kTime
	case t == typeReader || t == typeStream:
		v.kind = kStream
	case t.Kind() == reflect.String:
		v.kind = kString
	case t.Kind() == reflect.Int64:
		v.kind = kInt
	case t.Kind() == reflect.Float64:
		v.kind = kFloat
	case t.Kind() == reflect.Bool:
		v.kind = kBool
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		v.kind = kBlob
	case t.Kind() == reflect.Slice:
		v.kind = kList
		v.elem, err = s.valueOf(t.Elem(), v.shape.Member)
	case t.Kind() == reflect.Map:
		v.kind = kMap
		if v.key, err = s.valueOf(t.Key(), v.shape.Key); err == nil {
			v.elem, err = s.valueOf(t.Elem(), v.shape.Value)
		}
	case t.Kind() == reflect.Struct:
		v.kind = kStruct
		v.fields, err = s.structOf(t)
	default:
		err = fmt.Errorf("type %s has no wire form", t)
	}
	return v, err
}

// nilable says whether a value's absence shows as nil.
func (v *valuePlan) nilable() bool {
	switch v.kind {
	case kList, kMap, kBlob, kStream:
		return true
	}
	return false
}

// target returns the settable value of a member, allocating a pointer's target.
func (f *fieldPlan) target(st reflect.Value) reflect.Value {
	v := st.Field(f.index)
	if f.pointer {
		if v.IsNil() {
			v.Set(reflect.New(f.val.typ))
		}
		return v.Elem()
	}
	return v
}

// value returns a member's value, and whether it is there at all.
func (f *fieldPlan) value(st reflect.Value) (reflect.Value, bool) {
	v := st.Field(f.index)
	switch {
	case f.pointer:
		if v.IsNil() {
			return v, false
		}
		return v.Elem(), true
	case f.val.nilable():
		return v, !v.IsNil()
	}
	return v, true
}
