/**
 * JSON as it was written: every value with its place, so that what is wrong with
 * a policy can be said where it stands. Strict, as the server is: no comments, no
 * trailing commas, no key twice in one object.
 */
export type Node =
  | { kind: "object"; at: number; end: number; members: Member[] }
  | { kind: "array"; at: number; end: number; items: Node[] }
  | { kind: "string"; at: number; end: number; value: string }
  | { kind: "number" | "boolean" | "null"; at: number; end: number; value: number | boolean | null };

export interface Member {
  key: string;
  at: number; // of the key
  value: Node;
}

/** Something wrong in a text. Lines and columns count from 1. */
export interface Fault {
  line: number;
  column: number;
  message: string;
}

/** The place of an offset, columns in characters as people count them. */
export function place(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(start)].length + 1 };
}

class Wrong extends Error {
  constructor(
    readonly at: number,
    message: string,
  ) {
    super(message);
  }
}

const maxDepth = 64;

/** parseJSON reads a text, or says what is wrong with it and where. */
export function parseJSON(text: string): { node: Node } | { fault: Fault } {
  try {
    return { node: new Parser(text).document() };
  } catch (e) {
    if (!(e instanceof Wrong)) throw e;
    return { fault: { ...place(text, e.at), message: e.message } };
  }
}

class Parser {
  private pos = 0;
  constructor(private readonly text: string) {}

  document(): Node {
    const node = this.value(0);
    this.space();
    if (this.pos < this.text.length) throw this.unexpected("the end of the document");
    return node;
  }

  private value(depth: number): Node {
    this.space();
    if (depth > maxDepth) throw new Wrong(this.pos, "Nested too deeply");
    const c = this.text[this.pos];
    if (c === "{") return this.object(depth);
    if (c === "[") return this.array(depth);
    if (c === '"') return this.string();
    const at = this.pos;
    const m = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/.exec(this.text.slice(at, at + 400));
    if (!m) throw this.unexpected("a value");
    this.pos += m[0].length;
    const value = JSON.parse(m[0]) as number | boolean | null;
    return { kind: value === null ? "null" : typeof value === "boolean" ? "boolean" : "number", at, end: this.pos, value };
  }

  private object(depth: number): Node {
    const at = this.pos++;
    const members: Member[] = [];
    this.space();
    if (this.take("}")) return { kind: "object", at, end: this.pos, members };
    for (;;) {
      this.space();
      if (this.text[this.pos] !== '"') throw this.unexpected(members.length ? 'a key in quotes after ","' : 'a key in quotes or "}"');
      const key = this.string();
      if (members.some((m) => m.key === key.value)) throw new Wrong(key.at, `${JSON.stringify(key.value)} is there twice`);
      this.space();
      if (!this.take(":")) throw this.unexpected('":"');
      members.push({ key: key.value, at: key.at, value: this.value(depth + 1) });
      this.space();
      if (this.take("}")) return { kind: "object", at, end: this.pos, members };
      if (!this.take(",")) throw this.unexpected('"," or "}"');
    }
  }

  private array(depth: number): Node {
    const at = this.pos++;
    const items: Node[] = [];
    this.space();
    if (this.take("]")) return { kind: "array", at, end: this.pos, items };
    for (;;) {
      items.push(this.value(depth + 1));
      this.space();
      if (this.take("]")) return { kind: "array", at, end: this.pos, items };
      if (!this.take(",")) throw this.unexpected('"," or "]"');
    }
  }

  private string(): Node & { kind: "string" } {
    const at = this.pos++;
    for (; this.pos < this.text.length; this.pos++) {
      const c = this.text[this.pos] ?? "";
      if (c === '"') {
        const raw = this.text.slice(at, ++this.pos);
        try {
          return { kind: "string", at, end: this.pos, value: JSON.parse(raw) as string };
        } catch {
          throw new Wrong(at, "A text with an escape that JSON does not have");
        }
      }
      if (c === "\\") this.pos++;
      else if (c < " ") throw new Wrong(at, "The text that begins here has no closing quote in its line");
    }
    throw new Wrong(at, "The text that begins here has no closing quote");
  }

  private take(c: string): boolean {
    if (this.text[this.pos] !== c) return false;
    this.pos++;
    return true;
  }

  private space(): void {
    while (" \t\r\n".includes(this.text[this.pos] ?? "x")) this.pos++;
  }

  private unexpected(want: string): Wrong {
    const rest = this.text.slice(this.pos);
    const found = rest === "" ? "the end" : /^"[^"\n]{0,20}"?/.exec(rest)?.[0] ?? /^[\w.+-]{1,20}/.exec(rest)?.[0] ?? JSON.stringify([...rest][0]);
    return new Wrong(this.pos, `Expected ${want}, found ${found}`);
  }
}
