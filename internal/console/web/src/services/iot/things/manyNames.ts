import { nameFault } from "../names";

/** How many things are made at once at most. */
export const mostThings = 1000;

/** manyNames reads names, one on each line, with ranges of numbers: sensor-[01-20]. */
export function manyNames(text: string): { list: string[]; fault?: string } {
  const list: string[] = [];
  for (const line of text.split(/[\n,]+/).map((l) => l.trim()).filter(Boolean)) {
    const range = /^(.*)\[(\d{1,9})-(\d{1,9})\](.*)$/.exec(line);
    if (!range) {
      list.push(line);
      continue;
    }
    const [, before = "", from = "", to = "", after = ""] = range;
    const [first, last] = [Number(from), Number(to)];
    if (last < first) return { list: [], fault: `In ${line} the numbers go down.` };
    if (list.length + last - first + 1 > mostThings) return { list: [], fault: `No more than ${mostThings} things at once.` };
    for (let n = first; n <= last; n++) list.push(before + String(n).padStart(from.length, "0") + after);
  }
  if (list.length === 0) return { list, fault: "Enter names." };
  if (list.length > mostThings) return { list: [], fault: `No more than ${mostThings} things at once.` };
  for (const name of list) {
    const fault = nameFault(name, "thing name");
    if (fault) return { list: [], fault: `${name}: ${fault}` };
  }
  const there = new Set<string>();
  for (const name of list) {
    if (there.has(name)) return { list: [], fault: `${name} is there twice.` };
    there.add(name);
  }
  return { list };
}
