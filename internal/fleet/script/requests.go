package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/thingd/thingd/internal/topic"
)

// answerTime is how long a request over MQTT waits for its answer.
const answerTime = 10 * time.Second

// request is a request over AWS's reserved topics, while it waits.
type request struct {
	accepted, rejected string
	token              string
	answer             []byte
	refused            bool
	done               context.CancelFunc
}

func (r *request) wants(name string) bool { return name == r.accepted || name == r.rejected }

// answered gives a message to the request that it answers.
func (d *Device) answered(m Message) bool {
	for i, r := range d.waiting {
		if !r.wants(m.Topic) {
			continue
		}
		var token struct {
			ClientToken string `json:"clientToken"`
		}
		// What AWS cannot read it rejects without the token.
		if json.Unmarshal(m.Payload, &token) != nil || token.ClientToken != r.token && token.ClientToken != "" {
			continue
		}
		r.answer, r.refused = m.Payload, m.Topic == r.rejected
		d.waiting = slices.Delete(slices.Clone(d.waiting), i, i+1)
		r.done()
		return true
	}
	return false
}

// target says what a shadow or job helper is about.
type target struct {
	thing   string
	shadow  string
	timeout time.Duration
	options *goja.Object
}

// about reads a name and options {name, thing, timeout} from arguments.
func (d *Device) about(function string, arguments ...goja.Value) target {
	t := target{timeout: answerTime}
	for _, a := range arguments {
		if s, ok := a.(goja.String); ok {
			t.shadow = s.String()
			continue
		}
		if o := d.options(function, a); o != nil {
			t.options = o
			t.thing, t.shadow = d.text(o, "thing", t.thing), d.text(o, "name", t.shadow)
			if v := o.Get("timeout"); v != nil && !goja.IsUndefined(v) {
				t.timeout = d.duration(function, v)
			}
		}
	}
	if t.thing == "" {
		t.thing = d.thingName(function)
	}
	if strings.ContainsAny(t.thing+t.shadow, "/+#") {
		d.throw("TypeError", "%s: names of things and shadows have no /, + or #", function)
	}
	return t
}

// thingName is state.thingName or the MQTT client identifier.
func (d *Device) thingName(function string) string {
	if state, ok := d.variable("state").(*goja.Object); ok {
		if s, ok := state.Get("thingName").(goja.String); ok && s.Length() > 0 {
			return s.String()
		}
	}
	if p := d.program.model.Protocol; p != nil && p.ClientID != "" {
		t, err := d.program.template("protocol.clientId", p.ClientID)
		if err == nil {
			var name string
			if name, err = d.expand(t); err == nil {
				return name
			}
		}
		d.throwHost(err)
	}
	d.throw("Error", "%s: which thing? Set state.thingName, or a client identifier in the protocol, or give {thing: …}", function)
	return ""
}

// shadowTopic is $aws/things/THING/shadow[/name/NAME].
func (t target) shadowTopic() string {
	base := "$aws/things/" + t.thing + "/shadow"
	if t.shadow != "" {
		base += "/name/" + t.shadow
	}
	return base
}

func (t target) jobsTopic() string { return "$aws/things/" + t.thing + "/jobs" }

// request publishes a request to a reserved topic and waits for the answer. A
// rejected one is thrown, with the code that AWS gave.
func (d *Device) request(function, name string, document map[string]any, timeout time.Duration) goja.Value {
	if err := topic.ValidName(name); err != nil {
		d.throw("TypeError", "%s: %q: %v", function, name, err)
	}
	d.requests++
	r := &request{accepted: name + "/accepted", rejected: name + "/rejected", token: fmt.Sprintf("%d-%d", d.info.Client, d.requests)}
	document["clientToken"] = r.token
	payload, err := json.Marshal(document)
	if err != nil {
		d.throwHost(err)
	}
	for _, answer := range []string{r.accepted, r.rejected} {
		if !slices.Contains(d.answers, answer) {
			d.listenTo(answer)
			d.answers = append(d.answers, answer)
			if len(d.answers) > maxHandlers {
				d.answers = d.answers[1:]
			}
		}
	}
	err = d.ask(func(ctx context.Context) error {
		waiting, done := context.WithTimeout(ctx, timeout)
		defer done()
		r.done = done
		d.expect(r)
		if err := d.host.Publish(ctx, Message{Topic: name, Payload: payload, QoS: 1}); err != nil {
			return err
		}
		if err := d.host.Receive(waiting); err != nil {
			return err
		}
		return ctx.Err()
	})
	d.waiting = slices.DeleteFunc(slices.Clone(d.waiting), func(w *request) bool { return w == r })
	switch {
	case err != nil && r.answer == nil:
		d.throwHost(err)
	case r.answer == nil:
		d.throwHost(fmt.Errorf("%s: no answer came in %s: %w", function, timeout, context.DeadlineExceeded))
	case r.refused:
		d.refuse(function, r.answer)
	}
	return d.fromJSON(r.answer)
}

// expect has a request wait for its answer, outside of the script.
func (d *Device) expect(r *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = append(slices.Clone(d.waiting), r)
}

func (d *Device) listenTo(filter string) {
	d.outside(func(ctx context.Context) error { return d.host.Subscribe(ctx, filter, 1) })
}

// refuse throws what AWS rejected.
func (d *Device) refuse(function string, answer []byte) {
	var refusal struct {
		Code    any    `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &refusal); err != nil {
		d.throwHost(fmt.Errorf("%s: it was rejected: %w", function, err))
	}
	e := &AWSError{Code: fmt.Sprint(refusal.Code), Message: function + ": " + refusal.Message}
	if status, ok := refusal.Code.(float64); ok {
		e.Status = int(status)
	}
	d.throwHost(e)
}

// object is an argument as JSON within a document.
func (d *Device) object(function string, v goja.Value) json.RawMessage {
	if o, ok := v.(*goja.Object); !ok || o.ClassName() == "Array" || o.ClassName() == "Function" {
		d.throw("TypeError", "%s takes an object, not %s", function, shown(v))
	}
	return d.toJSON(function, v, MaxPayload)
}

// shadowGet([name][, options]) is the shadow's document; null of none.
func shadowGet(d *Device, c goja.FunctionCall) goja.Value {
	t := d.about("shadow.get", c.Arguments...)
	var got goja.Value
	if ex := d.vm.Try(func() { got = d.request("shadow.get", t.shadowTopic()+"/get", map[string]any{}, t.timeout) }); ex != nil {
		if refused, ok := errors.AsType[*AWSError](d.thrownErr); ok && refused.Status == 404 && ex.Value() == goja.Value(d.thrown) {
			return goja.Null()
		}
		panic(ex)
	}
	return got
}

// shadowUpdate({reported, desired}[, name][, options]) changes the shadow.
func shadowUpdate(d *Device, c goja.FunctionCall) goja.Value {
	const function = "shadow.update"
	state, ok := c.Argument(0).(*goja.Object)
	if !ok || state.Get("reported") == nil && state.Get("desired") == nil {
		d.throw("TypeError", "shadow.update takes {reported: …}, {desired: …} or both")
	}
	t := d.about(function, c.Arguments[1:]...)
	document := map[string]any{"state": d.object(function, state)}
	if t.options != nil {
		if v := t.options.Get("version"); v != nil {
			document["version"] = v.ToInteger()
		}
	}
	return d.request(function, t.shadowTopic()+"/update", document, t.timeout)
}

func shadowDelete(d *Device, c goja.FunctionCall) goja.Value {
	t := d.about("shadow.delete", c.Arguments...)
	return d.request("shadow.delete", t.shadowTopic()+"/delete", map[string]any{}, t.timeout)
}

// lastFunction takes the function off the end of arguments.
func (d *Device) lastFunction(function string, arguments []goja.Value) (goja.Callable, []goja.Value) {
	if n := len(arguments); n > 0 {
		if f, ok := goja.AssertFunction(arguments[n-1]); ok {
			return f, arguments[:n-1]
		}
	}
	d.throw("TypeError", "%s needs a function as its last argument", function)
	return nil, nil
}

// shadowOnDelta([name][, options], f) has f called with what is desired and
// not reported, and with the whole message.
func shadowOnDelta(d *Device, c goja.FunctionCall) goja.Value {
	f, rest := d.lastFunction("shadow.onDelta", c.Arguments)
	t := d.about("shadow.onDelta", rest...)
	d.on(t.shadowTopic()+"/update/delta", "state", f)
	return goja.Undefined()
}

// on subscribes to a topic of documents and calls f with one member of each,
// null if it is not there, and with the document.
func (d *Device) on(name, member string, f goja.Callable) {
	call := func(_ goja.Value, arguments ...goja.Value) (goja.Value, error) {
		m, ok := arguments[0].Export().(*received)
		if !ok {
			return goja.Undefined(), nil
		}
		document, err := d.parse(string(m.m.Payload))
		if err != nil {
			return nil, err
		}
		part := goja.Null()
		if o, ok := document.(*goja.Object); ok && o.Get(member) != nil {
			part = o.Get(member)
		}
		return f(goja.Undefined(), part, document)
	}
	d.listen(name, 1, call)
}

// jobsPending() is {inProgressJobs, queuedJobs}.
func jobsPending(d *Device, c goja.FunctionCall) goja.Value {
	t := d.about("jobs.pending", c.Arguments...)
	return d.request("jobs.pending", t.jobsTopic()+"/get", map[string]any{}, t.timeout)
}

// execution is the member of an answer about one job; null if there is none.
func execution(answer goja.Value) goja.Value {
	if o, ok := answer.(*goja.Object); ok && o.Get("execution") != nil {
		return o.Get("execution")
	}
	return goja.Null()
}

// jobsStart([options]) starts the next job: {statusDetails}. Null: there is none.
func jobsStart(d *Device, c goja.FunctionCall) goja.Value {
	t := d.about("jobs.start", c.Arguments...)
	return execution(d.request("jobs.start", t.jobsTopic()+"/start-next", d.members("jobs.start", t.options, "statusDetails", "stepTimeoutInMinutes"), t.timeout))
}

// jobsDescribe([jobId][, options]) is an execution; without an id of the next.
func jobsDescribe(d *Device, c goja.FunctionCall) goja.Value {
	t := d.about("jobs.describe", c.Arguments...)
	id := t.shadow
	if id == "" {
		id = "$next"
	}
	document := d.members("jobs.describe", t.options, "executionNumber", "includeJobDocument")
	return execution(d.request("jobs.describe", t.jobsTopic()+"/"+id+"/get", document, t.timeout))
}

// jobsUpdate(jobId, status[, options]) reports: {statusDetails, expectedVersion …}.
func jobsUpdate(d *Device, c goja.FunctionCall) goja.Value {
	const function = "jobs.update"
	id, status := d.named(function, "the job's id", c.Argument(0)), d.named(function, "the status", c.Argument(1))
	t := d.about(function, append([]goja.Value{d.vm.ToValue(id)}, c.Arguments[2:]...)...)
	document := d.members(function, t.options, "statusDetails", "expectedVersion", "executionNumber", "includeJobExecutionState", "includeJobDocument", "stepTimeoutInMinutes")
	document["status"] = status
	return d.request(function, t.jobsTopic()+"/"+id+"/update", document, t.timeout)
}

// jobsOnNext([options], f) has f called with the next job whenever it changes;
// null: there is none.
func jobsOnNext(d *Device, c goja.FunctionCall) goja.Value {
	f, rest := d.lastFunction("jobs.onNext", c.Arguments)
	t := d.about("jobs.onNext", rest...)
	d.on(t.jobsTopic()+"/notify-next", "execution", f)
	return goja.Undefined()
}

// members are the options of those names, as members of a document.
func (d *Device) members(function string, o *goja.Object, names ...string) map[string]any {
	document := map[string]any{}
	for _, name := range names {
		if o == nil {
			break
		}
		if v := o.Get(name); v != nil && !goja.IsUndefined(v) {
			document[name] = d.toJSON(function, v, MaxPayload)
		}
	}
	return document
}
