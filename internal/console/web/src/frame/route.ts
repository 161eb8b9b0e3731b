import { useSyncExternalStore } from "react";

/**
 * Where the console is: all screens are fragments of one page, #/iam/users/eve?tab=groups,
 * so that a path of the server is never both a screen and an operation of an API.
 */
export interface Place {
  path: string; // /iam/users/eve, its parts encoded
  query: URLSearchParams;
}

export function parse(hash: string): Place {
  const text = hash.replace(/^#/, "") || "/";
  const cut = text.indexOf("?");
  return cut < 0 ? { path: text, query: new URLSearchParams() } : { path: text.slice(0, cut), query: new URLSearchParams(text.slice(cut + 1)) };
}

/** to makes the link of a screen; its parts are encoded, queries left out where undefined. */
export function to(parts: string[], query: Record<string, string | undefined> = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined) q.set(k, v);
  const tail = q.toString();
  return "#/" + parts.map(encodeURIComponent).join("/") + (tail && "?" + tail);
}

export function go(link: string): void {
  location.hash = link;
}

/** The same screen with another query, without a step in the history. */
export function replaceQuery(key: string, value: string | undefined): void {
  const { path, query } = parse(location.hash);
  if (value === undefined) query.delete(key);
  else query.set(key, value);
  const tail = query.toString();
  history.replaceState(null, "", "#" + path + (tail && "?" + tail));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

const listen = (f: () => void) => {
  window.addEventListener("hashchange", f);
  return () => window.removeEventListener("hashchange", f);
};

let last: { hash: string; place: Place } | undefined;

export function usePlace(): Place {
  return useSyncExternalStore(listen, () => {
    if (last?.hash !== location.hash) last = { hash: location.hash, place: parse(location.hash) };
    return last.place;
  });
}

/** match finds the parameters of a pattern such as /users/:name in a path; undefined: it is another one. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = pattern.split("/").filter(Boolean);
  const have = path.split("/").filter(Boolean);
  if (want.length !== have.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of want.entries()) {
    const is = have[i] ?? "";
    if (part.startsWith(":")) {
      try {
        params[part.slice(1)] = decodeURIComponent(is);
      } catch {
        return undefined;
      }
    } else if (part !== is) return undefined;
  }
  return params;
}
