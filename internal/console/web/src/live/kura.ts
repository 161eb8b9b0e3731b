/**
 * Payloads of Eclipse Kura: a protobuf message (package kuradatatypes, message
 * KuraPayload), plain or in gzip.
 */
export interface KuraPayload {
  timestamp?: string; // ISO 8601
  position?: Record<string, number | string>;
  metrics?: Record<string, number | string | boolean>;
  body?: string; // Base64
}

/** What an unpacked payload may have: one that unpacks to more is none of Kura's. */
const most = 16 << 20;

/** kura decodes a payload; undefined: it is none of Kura's. */
export async function kura(payload: Uint8Array): Promise<KuraPayload | undefined> {
  const plain = payload[0] === 0x1f && payload[1] === 0x8b ? await gunzip(payload) : payload;
  if (!plain || plain.length === 0) return undefined;
  try {
    return message(plain);
  } catch {
    return undefined;
  }
}

async function gunzip(b: Uint8Array): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    const reader = new Blob([b as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > most) {
        await reader.cancel();
        return undefined;
      }
      parts.push(value);
    }
  } catch {
    return undefined; // no gzip, or a part of one
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

// Kinds of fields on the wire.
const varint = 0;
const fixed64 = 1;
const bytes = 2;
const fixed32 = 5;

interface Field {
  number: number;
  kind: number;
  whole: bigint; // of a varint
  view: DataView; // of the others
}

/** fields reads a message's fields; it throws where it is none. */
function* fields(b: Uint8Array): Generator<Field> {
  let at = 0;
  const number = (): bigint => {
    let n = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = b[at++];
      if (byte === undefined) throw new Error("cut off");
      n |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, n);
    }
    throw new Error("a number too long");
  };
  const take = (n: number): DataView => {
    if (n > b.length - at) throw new Error("cut off");
    const view = new DataView(b.buffer, b.byteOffset + at, n);
    at += n;
    return view;
  };
  const none = new DataView(new ArrayBuffer(0));
  while (at < b.length) {
    const key = Number(number());
    const field: Field = { number: Math.floor(key / 8), kind: key % 8, whole: 0n, view: none };
    switch (field.kind) {
      case varint:
        field.whole = number();
        break;
      case fixed64:
        field.view = take(8);
        break;
      case bytes:
        field.view = take(Number(number()));
        break;
      case fixed32:
        field.view = take(4);
        break;
      default:
        throw new Error("a kind that is none");
    }
    if (field.number === 0) throw new Error("a field without a number");
    yield field;
  }
}

const signed = (n: bigint): number | string => {
  const i = BigInt.asIntN(64, n);
  return i >= BigInt(Number.MIN_SAFE_INTEGER) && i <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(i) : i.toString();
};
const raw = (v: DataView) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
const text = (v: DataView) => new TextDecoder("utf-8", { fatal: true }).decode(raw(v));

export function base64(b: Uint8Array): string {
  let s = "";
  for (const byte of b) s += String.fromCharCode(byte);
  return btoa(s);
}

/** A floating-point number, which JSON may have no word for. */
const floating = (n: number): number | string => (Number.isFinite(n) ? n : String(n));

function expect(f: Field, kind: number): void {
  if (f.kind !== kind) throw new Error(`field ${f.number} is of another kind`);
}

function message(b: Uint8Array): KuraPayload {
  const p: KuraPayload = {};
  for (const f of fields(b)) {
    switch (f.number) {
      case 1: {
        expect(f, varint);
        const ms = Number(signed(f.whole));
        p.timestamp = Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
        break;
      }
      case 2:
        expect(f, bytes);
        p.position = position(raw(f.view));
        break;
      case 5000: {
        expect(f, bytes);
        const [name, value] = metric(raw(f.view));
        p.metrics ??= Object.create(null) as NonNullable<KuraPayload["metrics"]>;
        p.metrics[name] = value;
        break;
      }
      case 5001:
        expect(f, bytes);
        p.body = base64(raw(f.view));
        break;
      default:
        // 3 to 4999 are for extensions; nothing else is.
        if (f.number > 5001) throw new Error("a field that Kura does not have");
    }
  }
  if (p.timestamp === undefined && !p.metrics && !p.position && p.body === undefined) throw new Error("nothing of Kura's");
  return p;
}

const places: Record<number, string> = { 1: "latitude", 2: "longitude", 3: "altitude", 4: "precision", 5: "heading", 6: "speed", 7: "timestamp", 8: "satellites", 9: "status" };

function position(b: Uint8Array): Record<string, number | string> {
  const p: Record<string, number | string> = {};
  for (const f of fields(b)) {
    const name = places[f.number];
    if (!name) continue;
    if (f.number <= 6) {
      expect(f, fixed64);
      p[name] = floating(f.view.getFloat64(0, true));
    } else {
      expect(f, varint);
      p[name] = signed(f.whole);
    }
  }
  return p;
}

function metric(b: Uint8Array): [string, number | string | boolean] {
  let name: string | undefined;
  let value: number | string | boolean | undefined;
  for (const f of fields(b)) {
    switch (f.number) {
      case 1:
        expect(f, bytes);
        name = text(f.view);
        break;
      case 3:
        expect(f, fixed64);
        value = floating(f.view.getFloat64(0, true));
        break;
      case 4:
        expect(f, fixed32);
        // As short as it can be told from its neighbours: 21.5, and 0.1 for 0.10000000149011612.
        value = floating(Number(f.view.getFloat32(0, true).toPrecision(7)));
        break;
      case 5:
      case 6:
        expect(f, varint);
        value = signed(f.whole);
        break;
      case 7:
        expect(f, varint);
        value = f.whole !== 0n;
        break;
      case 8:
        expect(f, bytes);
        value = text(f.view);
        break;
      case 9:
        expect(f, bytes);
        value = base64(raw(f.view));
        break;
    }
  }
  if (name === undefined) throw new Error("a metric without a name");
  return [name, value ?? ""];
}
