/** A file of an archive. */
export interface ZipFile {
  name: string; // with folders: camera-1/private.pem.key
  content: Uint8Array<ArrayBuffer>;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const b of bytes) crc = (crc >>> 8) ^ table[(crc ^ b) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

const utf8 = 0x0800; // names are UTF-8

/**
 * zip puts files in an archive, uncompressed: keys do not get smaller. It has
 * no more than 65,535 files and 4 GiB (APPNOTE.TXT 4.3).
 */
export function zip(files: ZipFile[], at = new Date()): Blob {
  if (files.length > 0xffff) throw new Error("Too many files for one archive.");
  const time = (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1);
  const date = (Math.max(at.getFullYear() - 1980, 0) << 9) | ((at.getMonth() + 1) << 5) | at.getDate();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const f of files) {
    const name = new Uint8Array(new TextEncoder().encode(f.name));
    const common = [20, utf8, 0, time, date];
    const sizes: [number, number, number] = [crc32(f.content), f.content.length, f.content.length];
    const local = record(0x04034b50, common, sizes, [name.length, 0]);
    directory.push(record(0x02014b50, [20, ...common], sizes, [name.length, 0, 0, 0, 0], [0, offset]), name);
    parts.push(local, name, f.content);
    offset += local.length + name.length + f.content.length;
  }
  const size = directory.reduce((n, d) => n + d.length, 0);
  const end = record(0x06054b50, [0, 0, files.length, files.length], [size, offset], [0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** A record: its signature, then groups of 16 bits and of 32 bits in turns. */
function record(signature: number, ...groups: number[][]): Uint8Array<ArrayBuffer> {
  const length = 4 + groups.reduce((n, g, i) => n + g.length * (i % 2 ? 4 : 2), 0);
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(0, signature, true);
  let at = 4;
  groups.forEach((g, i) => {
    for (const v of g) {
      if (i % 2) view.setUint32(at, v, true);
      else view.setUint16(at, v, true);
      at += i % 2 ? 4 : 2;
    }
  });
  return new Uint8Array(view.buffer);
}
