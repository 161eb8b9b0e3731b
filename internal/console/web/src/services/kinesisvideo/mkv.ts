/** What a Matroska document says of itself, beside its pictures and sounds. */
export interface Document {
  muxer?: string;
  writer?: string;
  tracks: Track[];
  tags: { name: string; value: string }[];
}

export interface Track {
  number?: number;
  kind?: "video" | "audio" | "subtitles";
  codec?: string; // V_MPEG4/ISO/AVC
  name?: string;
  width?: number;
  height?: number;
  rate?: number; // Hz
  channels?: number;
}

// Masters that are gone into, by their ids; all others are passed over.
const masters = new Set([0x18538067, 0x1549a966, 0x1654ae6b, 0xae, 0xe0, 0xe1, 0x1254c367, 0x7373, 0x67c8]);
const cluster = 0x1f43b675;
const kinds: Record<number, Track["kind"]> = { 1: "video", 2: "audio", 17: "subtitles" };

/** read reads as much of a document as is there. */
export function read(b: Uint8Array): Document {
  const d: Document = { tracks: [], tags: [] };
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  let at = 0;
  while (at < b.length) {
    const id = number(b, at, false);
    if (id?.value === undefined) break;
    const size = number(b, at + id.length, true);
    if (!size) break;
    at += id.length + size.length;
    if (id.value === 0xae) d.tracks.push({});
    if (id.value === 0x67c8) d.tags.push({ name: "", value: "" });
    // Of unknown size a cluster's parts are passed over one by one.
    if (masters.has(id.value) || (id.value === cluster && size.value === undefined)) continue;
    if (size.value === undefined || at + size.value > b.length) break;
    element(d, id.value, b.subarray(at, at + size.value), new DataView(view.buffer, view.byteOffset + at, size.value));
    at += size.value;
  }
  return d;
}

function element(d: Document, id: number, b: Uint8Array, v: DataView): void {
  const track = d.tracks.at(-1) ?? {};
  const tag = d.tags.at(-1) ?? { name: "", value: "" };
  switch (id) {
    case 0x4d80:
      d.muxer = text(b);
      break;
    case 0x5741:
      d.writer = text(b);
      break;
    case 0xd7:
      track.number = whole(b);
      break;
    case 0x83:
      track.kind = kinds[whole(b)];
      break;
    case 0x86:
      track.codec = text(b);
      break;
    case 0x536e:
      track.name = text(b);
      break;
    case 0xb0:
      track.width = whole(b);
      break;
    case 0xba:
      track.height = whole(b);
      break;
    case 0xb5:
      track.rate = v.byteLength === 4 ? v.getFloat32(0) : v.byteLength === 8 ? v.getFloat64(0) : undefined;
      break;
    case 0x9f:
      track.channels = whole(b);
      break;
    case 0x45a3:
      tag.name = text(b);
      break;
    case 0x4487:
      tag.value = text(b);
      break;
  }
}

/** A number of EBML's, with its marker or without; its value is undefined where all its bits are set: a size that is not known. */
function number(b: Uint8Array, at: number, size: boolean): { value?: number; length: number } | undefined {
  const first = b[at];
  if (!first) return undefined;
  const length = Math.clz32(first) - 23;
  if (length > (size ? 8 : 4) || at + length > b.length) return undefined;
  let value = size ? first & (0xff >> length) : first;
  let ones = (first & (0xff >> length)) === 0xff >> length;
  for (let i = 1; i < length; i++) {
    const byte = b[at + i] ?? 0;
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return size && ones ? { length } : { value, length };
}

const text = (b: Uint8Array) => new TextDecoder().decode(b).replace(/\0+$/, "");

const whole = (b: Uint8Array) => b.reduce((n, byte) => n * 256 + byte, 0);

const codecs: Record<string, string> = {
  "V_MPEG4/ISO/AVC": "H.264",
  "V_MPEGH/ISO/HEVC": "H.265",
  V_AV1: "AV1",
  V_VP8: "VP8",
  V_VP9: "VP9",
  A_AAC: "AAC",
  A_OPUS: "Opus",
  "A_MS/ACM": "G.711",
  "A_PCM/INT/LIT": "PCM",
};

/** A track in a line: H.264, 640 × 360. */
export function describeTrack(t: Track): string {
  const parts = [t.codec ? (codecs[t.codec] ?? t.codec) : "Unknown codec"];
  if (t.width && t.height) parts.push(`${t.width} × ${t.height}`);
  if (t.rate) parts.push(`${t.rate / 1000} kHz`);
  if (t.channels) parts.push(t.channels === 1 ? "mono" : t.channels === 2 ? "stereo" : `${t.channels} channels`);
  return parts.join(", ");
}
