import { links, type Service } from "../services/service";

/** Something that the search finds. */
export interface Found {
  label: string;
  description: string;
  link: string;
  service: boolean;
}

/** find is what a text means among services and their screens, the best first. */
export function find(services: Service[], text: string): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found: (Found & { rank: number })[] = [];
  const add = (f: Found, of: string[], own: string) => {
    const name = own.toLowerCase();
    const all = of.join(" ").toLowerCase();
    if (!words.every((w) => all.includes(w))) return;
    const whole = words.join(" ");
    const rank = name === whole ? 0 : name.startsWith(whole) ? 1 : words.every((w) => name.includes(w)) ? 2 : 3;
    found.push({ ...f, rank: rank * 2 + (f.service ? 0 : 1) });
  };
  for (const s of services) {
    add({ label: s.name, description: s.description, link: `#/${s.id}`, service: true }, [s.name, s.title, s.description, ...(s.keywords ?? [])], s.name);
    for (const l of links(s)) {
      add({ label: l.text, description: s.name, link: `#/${s.id}${l.path}`, service: false }, [l.text, s.name, ...(l.keywords ?? [])], l.text);
    }
  }
  return found.sort((a, b) => a.rank - b.rank).slice(0, 20);
}
