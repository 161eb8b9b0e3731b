package script

import "testing"

// TestSurface runs expressions: what they publish.
func TestSurface(t *testing.T) {
	for _, x := range []struct{ code, want string }{
		{"return", ""},
		{"return null", ""},
		{"return 'text ü'", "text ü"},
		{"return ''", ""},
		{"return 1.5", "1.5"},
		{"return [1, 'a', null, undefined, NaN, () => 1]", `[1,"a",null,null,null,null]`},
		{"return {b: 1, a: {c: true}, u: undefined, f() {}}", `{"b":1,"a":{"c":true}}`},
		{"return {s: 'a\"b\\\\\\n\\u0001<ü'}", `{"s":"a\"b\\\n\u0001<ü"}`},
		{"return {d: new Date(0), n: 1e21, m: -0, x: 0.1}", `{"d":"1970-01-01T00:00:00.000Z","n":1e+21,"m":0,"x":0.1}`},
		{"return new Uint8Array([104, 105])", "hi"},
		{"return Buffer.from('6869', 'hex')", "hi"},
		{"return {b: Buffer.from('hi'), u: new Uint8Array([1])}", `{"b":"aGk=","u":"AQ=="}`},
		{"return [client(), clients(), index(), iteration(), jobId(), jobClients(), jobInterval(), jobRepeat()]", `[7,5,3,3,"run-1",5,0,1]`},
		{"return getRunSettings()", `{"clients":5,"iterations":1,"time":"real"}`},
		{"return new Date().toISOString()", "2026-03-01T12:00:00.000Z"},
		{"sleep('1.5s'); sleep(500); return new Date().toISOString()", "2026-03-01T12:00:02.000Z"},
		{"return await 5", "5"},
		{"const a = async () => 'later'; return await a()", "later"},
		{"x = 5; return [x, typeof nothing, typeof eval, typeof Function, typeof require, typeof process, typeof Proxy, globalThis.x]", `[5,"undefined","undefined","undefined","undefined","undefined","undefined",5]`},
		{"state = {a: 1}; return state", `{"a":1}`},
		{"return JSON.stringify({a: [1, 2]}, null, 2)", "{\n  \"a\": [\n    1,\n    2\n  ]\n}"},
		{"return JSON.stringify({a: 1, b: 2, c: {a: 3, d: 4}}, ['a', 'c'])", `{"a":1,"c":{"a":3}}`},
		{"return JSON.stringify({a: 1, b: 'x'}, (k, v) => typeof v === 'number' ? v + 1 : v)", `{"a":2,"b":"x"}`},
		{"return typeof JSON.stringify(undefined)", "undefined"},
		{"return JSON.parse('{\"a\": [1, 2]}', (k, v) => typeof v === 'number' ? v * 2 : v)", `{"a":[2,4]}`},
		{"return 'ab'.repeat(3) + 'x'.padStart(3, '-') + [1, [2, 3]].join() + [0, 0].fill(7) + Array.from('ab') + Array(3).fill(1).map((x, i) => x + i)", "ababab--x1,2,37,7a,b1,2,3"},
		{"class B extends Uint8Array { two() { return this[0] * 2 } }; const b = new B([4]); return [b.two(), b instanceof B, b instanceof Uint8Array, new Uint8Array(2).length, new Uint8Array(new ArrayBuffer(8), 2, 3).length, Uint8Array.from([1, 2]).length, Uint8Array.BYTES_PER_ELEMENT, ArrayBuffer.isView(b)]", `[8,true,true,2,3,2,1,true]`},
		{"return [new Uint8Array([1, 2, 3]).slice(1) instanceof Uint8Array, new Uint8Array(3).constructor === Uint8Array, Uint8Array.name]", `[true,true,"Uint8Array"]`},
		{"return [/a(b)/.exec('xab')[1], new RegExp('b+').test('abb'), RegExp('a') instanceof RegExp, /a/ instanceof RegExp, 'aXbX'.replace(/X/g, '-')]", `["b",true,true,true,"a-b-"]`},
		{"return [...new Map([[1, 2]]), new Set([1, 1]).size, Reflect.ownKeys({a: 1})[0], 2n ** 64n > 5, Symbol('a').toString()]", `[[1,2],1,"a",true,"Symbol(a)"]`},

		{"const b = Buffer.alloc(16); b.writeUInt16BE(0x1234, 0); b.writeInt8(-1, 2); b.writeInt32LE(-2, 4); b.writeDoubleBE(1.5, 8); return [b.toString('hex'), b.readUInt16BE(0), b.readInt8(2), b.readInt32LE(4), b.readDoubleBE(8), b.readUInt8(0)]",
			`["1234ff00feffffff3ff8000000000000",4660,-1,-2,1.5,18]`},
		{"const b = Buffer.alloc(4); b.writeFloatLE(0.5); return [b.readFloatLE(0), b.length, b.toString('base64'), Buffer.concat([b, [1, 2]]).length, Buffer.isBuffer(b), Buffer.isBuffer(new Uint8Array(1)), b instanceof Uint8Array]",
			`[0.5,4,"AAAAPw==",6,true,false,true]`},
		{"const b = Buffer.from('hello'); const s = b.slice(1, -1); s[0] = 69; return [b.toString(), s.toString(), s.equals('Ell'), b.toString('latin1', 0, 2), Buffer.byteLength('ü'), [...b.subarray(0, 2)]]", `["hEllo","Ell",true,"hE",2,[104,69]]`},
		{"return [hex.encode('hi'), hex.decode('6869').toString(), base64.encode('hi?'), base64.decode('aGk_').toString(), btoa('ÿ'), atob('/w==').charCodeAt(0)]", `["6869","hi","aGk/","hi?","/w==",255]`},
		{"return [crypto.md5('a'), crypto.sha1('abc'), crypto.sha256('abc').slice(0, 8), crypto.sha256('', 'base64'), crypto.hmac('sha256', 'key', 'data').slice(0, 8), crypto.sha256('', null).length, crypto.randomBytes(5).length]",
			`["0cc175b9c0f1b6a831c399e269772661","a9993e364706816aba3e25717850c26c9cd0d89d","ba7816bf","47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=","5031fe3d",32,5]`},
		{"const k = crypto.generateKey(); const s = crypto.sign(k.key, 'x'); return [crypto.verify(k.publicKey, 'x', s), crypto.verify(k.publicKey, 'y', s)]", `[true,false]`},
		{"const r = crypto.generateCSR({commonName: 'd', organization: 'o'}); return [r.key.split('\\n')[0], r.csr.split('\\n')[0], crypto.generateCSR({key: r.key}).key === r.key, crypto.randomUUID().length]",
			`["-----BEGIN EC PRIVATE KEY-----","-----BEGIN CERTIFICATE REQUEST-----",true,36]`},
		{"const b = kura.encode({timestamp: 5, position: {latitude: 1.5, longitude: -2, satellites: 7}, metrics: {t: 20.5, ok: true, s: 'x', n: {type: 'int32', value: -5}, l: {type: 'INT64', value: 2 ** 40}, f: {type: 'float', value: 0.5}, b: Buffer.from('hi')}, body: 'body'}); const o = kura.decode(b); o.body = o.body.toString(); return o",
			`{"timestamp":5,"position":{"latitude":1.5,"longitude":-2,"satellites":7},"body":"body","metrics":{"t":20.5,"ok":true,"s":"x","n":-5,"l":1099511627776,"f":0.5,"b":"aGk="}}`},
		{"return kura.encode({timestamp: 1, metrics: {a: true}}).toString('hex')", "0801c2b80207" + "0a0161" + "1004" + "3801"},
		{"return kura.decode(kura.encode({timestamp: 9, metrics: {a: 1}}, {gzip: true}))", `{"timestamp":9,"metrics":{"a":1}}`},

		{"glob.set('a', {x: [1]}); glob.set('b/1', 'v'); glob.set('b/2', null); return [glob.get('a'), glob.get('none'), glob.get('b/2'), glob.list('b/'), glob.list(), glob.list('', {limit: 1}), glob.list('', {after: 'a'})]",
			`[{"x":[1]},null,null,["b/1","b/2"],["a","b/1","b/2"],["a"],["b/1","b/2"]]`},
		{"glob.set('a', 1); let got = []; glob.get('a', (e, v) => got.push(e, v)); glob.delete('a', (e) => got.push(e)); got.push(typeof glob.get('a')); return got", `[null,1,null,"undefined"]`},
		{"let n = 0; const f = () => ({n: ++n}); return [once('a', f), once('a', f), once('b', () => {}), n]", `[{"n":1},{"n":1},null,1]`},
		{"return aws('iot', 'CreateThing', {thingName: 'a'})", "{}"},
		{"return [http.get('http://h/').json().ok, http.post('https://h/', {a: 1}).status, http.request({url: 'http://h', method: 'put', body: 'x'}).body, http.get('http://h/').headers['content-type'], http.get('http://h').ok]", `[true,200,"{\"ok\":true}","application/json",true]`},
		{"return putMedia({streamName: 's', duration: '2s'}).persisted", "3"},
		{"return [connected(), connect(), disconnect()]", "[true,null,null]"},
	} {
		t.Run(x.code[:min(len(x.code), 40)], func(t *testing.T) {
			if got := running(t, x.code); got != x.want {
				t.Errorf("%s:\n got %s\nwant %s", x.code, got, x.want)
			}
		})
	}
}
