package script

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/google/uuid"
)

const (
	maxChance = 100_000 // characters or items that a generator makes at once
	maxWalks  = 1000
	maxExact  = 1 << 53 // integers of JavaScript that are exact
)

// chanceMembers is chance: values of the run's seed, in the manner of
// chance.js. The same seed, client and calls give the same values.
var chanceMembers = members{
	// Numbers.
	"integer": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.integer("integer", c, -maxExact, maxExact))
	}),
	"natural": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.integer("natural", c, 0, maxExact))
	}),
	"age":    native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("age", c, 1, 100)) }),
	"hour":   native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("hour", c, 0, 23)) }),
	"minute": native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("minute", c, 0, 59)) }),
	"second": native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("second", c, 0, 59)) }),
	"port":   native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("port", c, 0, 65535)) }),
	"year":   native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("year", c, 2000, 2035)) }),
	"dice":   native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.integer("dice", c, 1, 6)) }),
	"floating": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.floating("floating", c.Argument(0), -1000, 1000, 4)
	}),
	"normal": native(chanceNormal),
	"exponential": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.random.ExpFloat64() * d.number(d.options("chance.exponential", c.Argument(0)), "mean", 1))
	}),
	"walk": native(chanceWalk),
	"bool": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.random.Float64()*100 < d.number(d.options("chance.bool", c.Argument(0)), "likelihood", 50))
	}),
	// Choice.
	"pickone":  native(chancePick),
	"pick":     native(chancePick),
	"pickset":  native(chancePickset),
	"shuffle":  native(chanceShuffle),
	"weighted": native(chanceWeighted),
	"n":        native(chanceN),
	"unique":   native(chanceUnique),
	// Texts and identifiers.
	"string": native(chanceString),
	"character": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.characters("chance.character", c, 1))
	}),
	"letter": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(cased(string(lower[d.random.IntN(len(lower))]), d.text(d.options("chance.letter", c.Argument(0)), "casing", "")))
	}),
	"hash": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.drawn("0123456789abcdef", d.count("chance.hash", d.number(d.options("chance.hash", c.Argument(0)), "length", 40))))
	}),
	"guid": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		b := d.randomBytes(16)
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4, as chance.js has it
		return d.vm.ToValue(uuid.UUID(b).String())
	}),
	"word": native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.word()) }),
	"sentence": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.sentence(int(d.number(d.options("chance.sentence", c.Argument(0)), "words", 12))))
	}),
	"paragraph": native(chanceParagraph),
	// Networks.
	"mac": native(func(d *Device, c goja.FunctionCall) goja.Value {
		b := d.randomBytes(6)
		b[0] = b[0]&^1 | 2 // unicast, locally administered
		parts := make([]string, 6)
		for i := range parts {
			parts[i] = fmt.Sprintf("%02x", b[i])
		}
		return d.vm.ToValue(strings.Join(parts, d.text(d.options("chance.mac", c.Argument(0)), "separator", ":")))
	}),
	"ip": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		return d.vm.ToValue(fmt.Sprintf("%d.%d.%d.%d", 1+d.random.IntN(223), d.random.IntN(256), d.random.IntN(256), 1+d.random.IntN(254)))
	}),
	"ipv6": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		parts := make([]string, 8)
		for i := range parts {
			parts[i] = fmt.Sprintf("%04x", d.random.IntN(1<<16))
		}
		return d.vm.ToValue(strings.Join(parts, ":"))
	}),
	"imei":   native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(luhn(d.drawn("0123456789", 14))) }),
	"domain": native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.word() + ".example") }),
	"email": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		return d.vm.ToValue(strings.ToLower(one(d, firstNames)) + "@" + d.word() + ".example")
	}),
	"url": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		return d.vm.ToValue("https://" + d.word() + ".example/" + d.word())
	}),
	// Places. latitude and longitude take {min, max, fixed}.
	"latitude": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.floating("latitude", c.Argument(0), -90, 90, 5)
	}),
	"longitude": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.floating("longitude", c.Argument(0), -180, 180, 5)
	}),
	"altitude": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.floating("altitude", c.Argument(0), 0, 8848, 5)
	}),
	"coordinates": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.floating("coordinates", goja.Undefined(), -90, 90, 5).String() + ", " + d.floating("coordinates", goja.Undefined(), -180, 180, 5).String())
	}),
	"near":    native(chanceNear),
	"city":    native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(one(d, cities)) }),
	"country": native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(one(d, countries)) }),
	// People and things.
	"first": native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(one(d, firstNames)) }),
	"last":  native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(one(d, lastNames)) }),
	"name": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		return d.vm.ToValue(one(d, firstNames) + " " + one(d, lastNames))
	}),
	"phone": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		return d.vm.ToValue("+1 555 " + d.drawn("0123456789", 7))
	}),
	"color": native(func(d *Device, _ goja.FunctionCall) goja.Value {
		return d.vm.ToValue("#" + d.drawn("0123456789abcdef", 6))
	}),
	// Time.
	"date": native(chanceDate),
	"timestamp": native(func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(d.integer("timestamp", c, 946_684_800, 2_082_758_399)) // 2000 to 2035
	}),
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
	signs  = "!@#$%^&*()[]"
)

func one[T any](d *Device, list []T) T { return list[d.random.IntN(len(list))] }

// count is a number of things to make.
func (d *Device) count(function string, f float64) int {
	if !(f >= 0 && f <= maxChance) {
		d.throw("RangeError", "%s makes 0 to %d at once, not %v", function, maxChance, f)
	}
	return int(f)
}

// integer draws from {min, max}.
func (d *Device) integer(function string, c goja.FunctionCall, least, most float64) int64 {
	o := d.options("chance."+function, c.Argument(0))
	low, high := math.Ceil(d.number(o, "min", least)), math.Floor(d.number(o, "max", most))
	if !(low <= high) || low < -maxExact || high > maxExact {
		d.throw("RangeError", "chance.%s: min (%v) must be below max (%v)", function, low, high)
	}
	return int64(low) + d.random.Int64N(int64(high)-int64(low)+1)
}

// floating draws from {min, max} and rounds to {fixed} digits.
func (d *Device) floating(function string, options goja.Value, least, most, fixed float64) goja.Value {
	o := d.options("chance."+function, options)
	low, high := d.number(o, "min", least), d.number(o, "max", most)
	if !(low <= high) || math.IsInf(low, 0) || math.IsInf(high, 0) {
		d.throw("RangeError", "chance.%s: min (%v) must be below max (%v)", function, low, high)
	}
	return d.vm.ToValue(min(max(d.rounded(o, low+d.random.Float64()*(high-low), fixed), low), high))
}

// rounded rounds to {fixed} digits.
func (d *Device) rounded(o *goja.Object, f, fixed float64) float64 {
	n := d.number(o, "fixed", fixed)
	if n < 0 || n > 15 {
		return f
	}
	scale := math.Pow(10, math.Floor(n))
	if r := math.Round(f*scale) / scale; !math.IsInf(r, 0) {
		return r
	}
	return f
}

// chanceNormal is chance.normal({mean, dev, fixed}).
func chanceNormal(d *Device, c goja.FunctionCall) goja.Value {
	o := d.options("chance.normal", c.Argument(0))
	return d.vm.ToValue(d.rounded(o, d.number(o, "mean", 0)+d.random.NormFloat64()*d.number(o, "dev", 1), 16))
}

// chanceWalk is chance.walk(name, {start, step, min, max, fixed}): a value that
// wanders, as a temperature does. Each call goes one step from where the walk
// of that name was, of a normal distribution; at min and max it turns back.
func chanceWalk(d *Device, c goja.FunctionCall) goja.Value {
	name := d.named("chance.walk", "the name", c.Argument(0))
	o := d.options("chance.walk", c.Argument(1))
	low, high := d.number(o, "min", math.Inf(-1)), d.number(o, "max", math.Inf(1))
	if !(low < high) {
		d.throw("RangeError", "chance.walk: min (%v) must be below max (%v)", low, high)
	}
	at, walking := d.walks[name]
	if walking {
		at += d.random.NormFloat64() * d.number(o, "step", 1)
	} else {
		middle := 0.0
		if !math.IsInf(low, 0) && !math.IsInf(high, 0) {
			middle = (low + high) / 2
		}
		at = d.number(o, "start", middle)
	}
	if at > high {
		at = 2*high - at
	}
	if at < low {
		at = 2*low - at
	}
	at = min(max(at, low), high)
	if d.walks == nil {
		d.walks = map[string]float64{}
	}
	if !walking && len(d.walks) == maxWalks {
		d.throw("RangeError", "chance.walk knows at most %d names", maxWalks)
	}
	d.walks[name] = at
	return d.vm.ToValue(d.rounded(o, at, 16))
}

// list is an argument that is an array.
func (d *Device) list(function string, v goja.Value) *goja.Object {
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() != "Array" || length(o) == 0 {
		d.throw("TypeError", "%s needs an array with items", function)
	}
	d.items(length(o))
	return o
}

func item(o *goja.Object, i int) goja.Value {
	if v := o.Get(strconv.Itoa(i)); v != nil {
		return v
	}
	return goja.Undefined()
}

func chancePick(d *Device, c goja.FunctionCall) goja.Value {
	if n := c.Argument(1); !goja.IsUndefined(n) {
		return chancePickset(d, c)
	}
	list := d.list("chance.pickone", c.Argument(0))
	return item(list, d.random.IntN(int(length(list))))
}

// shuffled are an array's items in another order.
func (d *Device) shuffled(list *goja.Object) []any {
	out := make([]any, length(list))
	for i, j := range d.random.Perm(len(out)) {
		out[i] = item(list, j)
	}
	return out
}

func chancePickset(d *Device, c goja.FunctionCall) goja.Value {
	list := d.list("chance.pickset", c.Argument(0))
	n := int64(1)
	if !goja.IsUndefined(c.Argument(1)) {
		n = c.Argument(1).ToInteger()
	}
	return d.vm.NewArray(d.shuffled(list)[:min(max(n, 0), length(list))]...)
}

func chanceShuffle(d *Device, c goja.FunctionCall) goja.Value {
	return d.vm.NewArray(d.shuffled(d.list("chance.shuffle", c.Argument(0)))...)
}

// chanceWeighted is chance.weighted(items, weights).
func chanceWeighted(d *Device, c goja.FunctionCall) goja.Value {
	list, weights := d.list("chance.weighted", c.Argument(0)), d.list("chance.weighted", c.Argument(1))
	if length(list) != length(weights) {
		d.throw("RangeError", "chance.weighted: there are %d items and %d weights", length(list), length(weights))
	}
	sum, each := 0.0, make([]float64, length(weights))
	for i := range each {
		if each[i] = item(weights, i).ToFloat(); !(each[i] >= 0) || math.IsInf(each[i], 0) {
			d.throw("RangeError", "chance.weighted: %s is no weight", shown(item(weights, i)))
		}
		sum += each[i]
	}
	if sum == 0 {
		d.throw("RangeError", "chance.weighted: all weights are 0")
	}
	at := d.random.Float64() * sum
	for i, w := range each {
		if at -= w; at < 0 {
			return item(list, i)
		}
	}
	return item(list, slices.IndexFunc(each, func(w float64) bool { return w > 0 }))
}

// repeated is the generator and the arguments of chance.n and chance.unique.
func (d *Device) repeated(function string, c goja.FunctionCall) (goja.Callable, int, []goja.Value) {
	f, ok := goja.AssertFunction(c.Argument(0))
	if !ok {
		d.throw("TypeError", "%s needs a function such as chance.guid", function)
	}
	return f, d.count(function, c.Argument(1).ToFloat()), c.Arguments[min(2, len(c.Arguments)):]
}

func chanceN(d *Device, c goja.FunctionCall) goja.Value {
	f, n, arguments := d.repeated("chance.n", c)
	out := make([]any, n)
	for i := range out {
		v, err := f(c.This, arguments...)
		if err != nil {
			d.throwHost(err)
		}
		out[i] = v
	}
	return d.vm.NewArray(out...)
}

func chanceUnique(d *Device, c goja.FunctionCall) goja.Value {
	f, n, arguments := d.repeated("chance.unique", c)
	var out []any
	known := map[string]bool{}
	for tries := 0; len(out) < n; tries++ {
		if tries > 50*n {
			d.throw("RangeError", "chance.unique: there are not %d different values", n)
		}
		v, err := f(c.This, arguments...)
		if err != nil {
			d.throwHost(err)
		}
		if s := v.String(); !known[s] {
			known[s] = true
			out = append(out, v)
		}
	}
	return d.vm.NewArray(out...)
}

// drawn are n characters of a pool.
func (d *Device) drawn(pool string, n int) string {
	runes := []rune(pool)
	out := make([]rune, n)
	for i := range out {
		out[i] = runes[d.random.IntN(len(runes))]
	}
	return string(out)
}

// characters are n of {pool, alpha, numeric, symbols, casing}.
func (d *Device) characters(function string, c goja.FunctionCall, n int) string {
	o := d.options(function, c.Argument(0))
	letters := cased(lower, d.text(o, "casing", ""))
	if d.text(o, "casing", "") == "" {
		letters = lower + strings.ToUpper(lower)
	}
	pool := d.text(o, "pool", "")
	if pool == "" {
		if d.flag(o, "alpha") {
			pool += letters
		}
		if d.flag(o, "numeric") {
			pool += digits
		}
		if d.flag(o, "symbols") {
			pool += signs
		}
	}
	if pool == "" {
		pool = letters + digits + signs
	}
	return d.drawn(pool, n)
}

func cased(s, casing string) string {
	if casing == "upper" {
		return strings.ToUpper(s)
	}
	return s
}

// chanceString is chance.string({length, pool, alpha, numeric, symbols, casing}).
func chanceString(d *Device, c goja.FunctionCall) goja.Value {
	n := d.number(d.options("chance.string", c.Argument(0)), "length", float64(5+d.random.IntN(16)))
	return d.vm.ToValue(d.characters("chance.string", c, d.count("chance.string", n)))
}

func (d *Device) randomBytes(n int) []byte {
	b := make([]byte, (n+7)/8*8)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], d.random.Uint64())
	}
	return b[:n]
}

// word is pronounceable.
func (d *Device) word() string {
	var s strings.Builder
	for range 2 + d.random.IntN(2) {
		s.WriteByte(one(d, []byte("bcdfghjklmnprstvwz")))
		s.WriteByte(one(d, []byte("aeiou")))
		if d.random.IntN(3) == 0 {
			s.WriteByte(one(d, []byte("lmnrst")))
		}
	}
	return s.String()
}

func (d *Device) sentence(words int) string {
	list := make([]string, min(max(words, 1), 1000))
	for i := range list {
		list[i] = d.word()
	}
	s := strings.Join(list, " ")
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// chanceParagraph is chance.paragraph({sentences}).
func chanceParagraph(d *Device, c goja.FunctionCall) goja.Value {
	n := d.number(d.options("chance.paragraph", c.Argument(0)), "sentences", 5)
	list := make([]string, int(min(max(n, 1), 100)))
	for i := range list {
		list[i] = d.sentence(12)
	}
	return d.vm.ToValue(strings.Join(list, " "))
}

// chanceNear is chance.near({latitude, longitude, meters}): a place within a
// distance of another, evenly spread.
func chanceNear(d *Device, c goja.FunctionCall) goja.Value {
	o := d.options("chance.near", c.Argument(0))
	latitude, longitude, meters := d.number(o, "latitude", 0), d.number(o, "longitude", 0), d.number(o, "meters", 1000)
	const metersOfDegree = 111_320
	r := math.Abs(meters) * math.Sqrt(d.random.Float64()) / metersOfDegree
	sin, cos := math.Sincos(d.random.Float64() * 2 * math.Pi)
	place := d.vm.NewObject()
	round := func(f float64) float64 { return math.Round(f*1e6) / 1e6 }
	d.set(place, "latitude", d.vm.ToValue(round(min(max(latitude+r*sin, -90), 90))))
	d.set(place, "longitude", d.vm.ToValue(round(math.Remainder(longitude+r*cos/max(math.Cos(latitude*math.Pi/180), 0.01), 360))))
	return place
}

// chanceDate is chance.date({min, max}): a Date of the years 2000 to 2035.
func chanceDate(d *Device, c goja.FunctionCall) goja.Value {
	o := d.options("chance.date", c.Argument(0))
	low := d.number(o, "min", float64(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()))
	high := d.number(o, "max", float64(time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()-1))
	if o != nil && o.Get("year") != nil {
		year := int(d.number(o, "year", 2000))
		low = float64(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
		high = float64(time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1)
	}
	const most = 8.64e15 // of JavaScript's dates
	if !(low <= high) || low < -most || high > most {
		d.throw("RangeError", "chance.date: min must be before max")
	}
	date, err := d.vm.New(d.builtin("Date"), d.vm.ToValue(math.Floor(low+d.random.Float64()*(high-low))))
	if err != nil {
		panic(err)
	}
	return date
}

// luhn adds the check digit.
func luhn(s string) string {
	sum := 0
	for i := range len(s) {
		n := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return s + strconv.Itoa((10-sum%10)%10)
}

var (
	firstNames = strings.Fields("Ada Alan Amir Anna Bela Carla Chen Dana Diego Elif Emma Farid Fatima Grace Hana Igor Ines Ivan Jana Jonas Kofi Lea Lina Luca Maja Marek Mei Mila Noah Nora Omar Petra Rosa Sami Sara Tariq Tomas Vera Yara Zoe")
	lastNames  = strings.Fields("Adeyemi Bauer Berg Bianchi Cohen Costa Diaz Dubois Eriksen Fischer Garcia Haddad Hansen Ivanov Jansen Kaya Kim Kowalski Kumar Larsen Lopez Moreau Nagy Nguyen Novak Okafor Park Petrov Popescu Reyes Rossi Sato Schmidt Silva Singh Suzuki Tanaka Virtanen Wang Weber")
	cities     = strings.Fields("Accra Amsterdam Athens Auckland Bangkok Berlin Bogota Brno Cairo Chennai Chicago Dakar Denver Dublin Geneva Hanoi Helsinki Istanbul Jakarta Kyoto Lagos Lima Lisbon Lyon Madrid Milan Montreal Nairobi Osaka Oslo Porto Prague Quito Riga Santiago Seattle Seoul Sydney Tunis Vienna")
	countries  = strings.Fields("AR AT AU BE BR CA CH CL CN CO CZ DE DK EE EG ES FI FR GB GH GR HU ID IE IN IT JP KE KR MX NG NL NO NZ PE PL PT SE TR US")
)
