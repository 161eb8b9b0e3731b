package script

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
)

const maxParams = 4 << 20 // bytes of a request's parameters or body

// aws(service, operation[, params][, options]) calls an AWS API and gives its
// answer. What AWS refuses is thrown with code, message and statusCode.
func aws(d *Device, c goja.FunctionCall) goja.Value {
	call := Call{Service: d.named("aws", "the service", c.Argument(0)), Operation: d.named("aws", "the operation", c.Argument(1)), Params: json.RawMessage("{}")}
	if p := c.Argument(2); !goja.IsUndefined(p) && !goja.IsNull(p) {
		if o, ok := p.(*goja.Object); !ok || o.ClassName() == "Array" {
			d.throw("TypeError", "aws: the parameters are an object, not %s", shown(p))
		}
		call.Params = d.toJSON("aws: the parameters", p, maxParams)
	}
	o := d.options("aws", c.Argument(3))
	call.AccessKeyID, call.SecretAccessKey, call.SessionToken = d.text(o, "accessKeyId", ""), d.text(o, "secretAccessKey", ""), d.text(o, "sessionToken", "")
	call.Region, call.Endpoint = d.text(o, "region", ""), d.text(o, "endpoint", "")
	var answer json.RawMessage
	d.outside(func(ctx context.Context) (err error) {
		answer, err = d.host.AWS(ctx, call)
		return err
	})
	return d.fromJSON(answer)
}

// putMedia({streamName | streamARN, body | duration, fps, bitrate,
// fragmentDuration, credentials…}) sends video.
func putMedia(d *Device, c goja.FunctionCall) goja.Value {
	o := d.options("putMedia", c.Argument(0))
	m := Media{
		StreamName: d.text(o, "streamName", ""), StreamARN: d.text(o, "streamARN", ""),
		FPS: d.number(o, "fps", 0), Bitrate: int(d.number(o, "bitrate", 0)),
		AccessKeyID: d.text(o, "accessKeyId", ""), SecretAccessKey: d.text(o, "secretAccessKey", ""), SessionToken: d.text(o, "sessionToken", ""),
		Region: d.text(o, "region", ""), Endpoint: d.text(o, "endpoint", ""),
	}
	if m.StreamName == "" && m.StreamARN == "" {
		d.throw("TypeError", "putMedia needs {streamName: …}")
	}
	if !(m.FPS >= 0 && m.FPS <= 120) || m.Bitrate < 0 || m.Bitrate > 100_000_000 {
		d.throw("RangeError", "putMedia: fps is up to 120, bitrate up to 100,000,000")
	}
	for _, t := range []struct {
		name string
		into *time.Duration
	}{{"duration", &m.Duration}, {"fragmentDuration", &m.FragmentDuration}} {
		if v := o.Get(t.name); v != nil && !goja.IsUndefined(v) {
			*t.into = d.duration("putMedia: "+t.name, v)
		}
	}
	if b := o.Get("body"); b != nil && !goja.IsUndefined(b) {
		m.Body = slices.Clone(d.data("putMedia: body", b))
	}
	var answer json.RawMessage
	d.outside(func(ctx context.Context) (err error) {
		answer, err = d.host.PutMedia(ctx, m)
		return err
	})
	return d.fromJSON(answer)
}

// httpMethod is http.get(url[, options]) and its like, http.post(url, body[,
// options]) and its like.
func httpMethod(method string, body bool) native {
	function := "http." + strings.ToLower(method)
	return func(d *Device, c goja.FunctionCall) goja.Value {
		if body {
			return d.http(function, method, c.Argument(0), c.Argument(1), d.options(function, c.Argument(2)))
		}
		return d.http(function, method, c.Argument(0), goja.Undefined(), d.options(function, c.Argument(1)))
	}
}

// httpRequest is http.request({method, url, body, headers, timeout, …}).
func httpRequest(d *Device, c goja.FunctionCall) goja.Value {
	o := d.options("http.request", c.Argument(0))
	if o == nil {
		d.throw("TypeError", "http.request needs {url: …}")
	}
	body := o.Get("body")
	if body == nil {
		body = goja.Undefined()
	}
	return d.http("http.request", strings.ToUpper(d.text(o, "method", "GET")), o.Get("url"), body, o)
}

func (d *Device) http(function, method string, address, body goja.Value, o *goja.Object) goja.Value {
	r := HTTPRequest{Method: method, URL: d.named(function, "the URL", address), Header: map[string]string{}}
	if u, err := url.Parse(r.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		d.throw("TypeError", "%s: %s is no URL that begins with http:// or https://", function, shown(address))
	}
	if !goja.IsUndefined(body) && !goja.IsNull(body) {
		b, err := d.bytes(body, maxParams)
		d.check(err, "RangeError", function+": the body")
		r.Body = b
		if _, text := body.(goja.String); !text {
			if _, bytes := raw(body); !bytes {
				r.Header["content-type"] = "application/json"
			}
		}
	}
	if o != nil {
		if h := o.Get("headers"); h != nil {
			if h := d.options(function+": headers", h); h != nil {
				for _, name := range h.Keys() {
					r.Header[strings.ToLower(name)] = h.Get(name).String()
				}
			}
		}
		if v := o.Get("timeout"); v != nil && !goja.IsUndefined(v) {
			r.Timeout = d.duration(function+": timeout", v)
		}
	}
	r.Certificate, r.Key = d.text(o, "certificate", ""), d.text(o, "key", "")
	var answer *HTTPResponse
	d.outside(func(ctx context.Context) (err error) {
		answer, err = d.host.HTTP(ctx, r)
		return err
	})
	return d.response(answer)
}

// response is what came back, as scripts see it.
func (d *Device) response(r *HTTPResponse) goja.Value {
	text := func() string { return strings.ToValidUTF8(string(r.Body), "\uFFFD") }
	return d.vm.NewDynamicObject(&lazyObject{d: d, of: members{
		"status": value(func(d *Device) goja.Value { return d.vm.ToValue(r.Status) }),
		"ok":     value(func(d *Device) goja.Value { return d.vm.ToValue(r.Status >= 200 && r.Status < 300) }),
		"headers": value(func(d *Device) goja.Value {
			o := d.vm.NewObject()
			for _, name := range slices.Sorted(maps.Keys(r.Header)) {
				d.set(o, strings.ToLower(name), d.vm.ToValue(r.Header[name]))
			}
			return o
		}),
		"body":  value(func(d *Device) goja.Value { return d.vm.ToValue(text()) }),
		"bytes": value(func(d *Device) goja.Value { return d.buffer(slices.Clone(r.Body)) }),
		"json": native(func(d *Device, _ goja.FunctionCall) goja.Value {
			v, err := d.parse(text())
			if err != nil {
				d.throwHost(err)
			}
			return v
		}),
	}})
}
