import type { DateRangePickerProps } from "@cloudscape-design/components/date-range-picker";
import { useCallback, useEffect, useRef, useState } from "react";
import { noticed } from "../../../session/aws";
import { fragments, type Clock, type Fragment, type Range } from "../api";
import { merged } from "../recordings";

/** Which time is looked at; null: where there is something, as is found out. */
export type Choice = DateRangePickerProps.RelativeValue | { type: "absolute"; range: Range } | null;

export interface Found {
  list: Fragment[];
  range: Range;
  /** What was looked at in the end, where the choice was left open. */
  choice: Exclude<Choice, null>;
  loading: boolean;
  /** There are more than are listed. */
  more: boolean;
  error?: unknown;
}

const hour = 3_600_000;
const units: Record<string, number> = { second: 1000, minute: 60_000, hour, day: 24 * hour, week: 168 * hour, month: 720 * hour, year: 8760 * hour };
const lastHour = { type: "relative", amount: 1, unit: "hour" } as const;

/** As many are listed of a range: at two seconds each, a day and more. */
const most = 50_000;
/** How far behind the last fragment it is looked for others: of several producers one may be late. */
const overlap = 60_000;
/** How far a clock may go ahead of this one. */
const ahead = 60_000;
const every = 5000;

/** rangeOf is the time that a choice means now. */
export function rangeOf(c: Exclude<Choice, null>, now = Date.now()): Range {
  return c.type === "absolute" ? c.range : { from: now - c.amount * (units[c.unit] ?? hour), to: now };
}

/** The first range, looking back from now, in which there is something. */
async function look(name: string, by: Clock): Promise<Range | undefined> {
  const now = Date.now();
  for (const back of [hour, units.day, units.week, units.month, units.year, now]) {
    const range = { from: now - (back ?? 0), to: now + ahead };
    for await (const page of fragments(name, by, range, 1)) {
      if (page.length > 0) return range;
      break;
    }
  }
  return undefined;
}

/**
 * useFragments lists a stream's fragments of a time, page by page as they come,
 * and of a time up to now the new ones as they are taken in.
 */
export function useFragments(name: string, by: Clock, choice: Choice): Found & { reload: () => void } {
  const [found, set] = useState<Found>({ list: [], range: rangeOf(lastHour), choice: lastHour, loading: true, more: false });
  const question = useRef(0);
  const latest = useRef(found);
  latest.current = found;

  const load = useCallback(async () => {
    const mine = ++question.current;
    const asked = choice ?? lastHour;
    const live = asked.type === "relative";
    set((was) => ({ ...was, choice: asked, range: rangeOf(asked), loading: true, error: undefined, ...(was.choice !== asked && { list: [], more: false }) }));
    let range = rangeOf(asked);
    let list: Fragment[] = [];
    try {
      let old = false;
      if (choice === null) {
        const where = await look(name, by);
        old = where !== undefined && where.to - where.from > 2 * hour;
        if (where && old) range = where;
      }
      for await (const page of fragments(name, by, live ? { ...range, to: range.to + ahead } : range)) {
        if (mine !== question.current) return;
        list = merged(list, page, by);
        const more = list.length >= most;
        const fitted = old ? around(list, by) : undefined;
        set((was) => ({ ...was, list, more, ...(fitted && { range: fitted, choice: { type: "absolute", range: fitted } }) }));
        if (more) break;
      }
      if (mine === question.current) set((was) => ({ ...was, list, loading: false }));
    } catch (error) {
      noticed(error);
      if (mine === question.current) set((was) => ({ ...was, list, loading: false, error }));
    }
  }, [name, by, choice]);

  useEffect(() => {
    void load();
    const number = question;
    return () => {
      number.current++;
    };
  }, [load]);

  // What comes while one looks.
  useEffect(() => {
    let busy = false;
    const timer = setInterval(() => {
      const is = latest.current;
      if (busy || is.loading || is.more || is.choice.type === "absolute" || document.visibilityState !== "visible") return;
      busy = true;
      const mine = question.current;
      const range = rangeOf(is.choice);
      const from = Math.max(range.from, (is.list.at(-1)?.[by] ?? range.from) - overlap);
      void (async () => {
        let list = is.list.filter((f) => f[by] + f.length >= range.from);
        try {
          for await (const page of fragments(name, by, { from, to: range.to + ahead })) list = merged(list, page, by);
          if (mine === question.current) set((was) => ({ ...was, list, range, error: undefined }));
        } catch (e) {
          noticed(e); // the next may go well
        } finally {
          busy = false;
        }
      })();
    }, every);
    return () => clearInterval(timer);
  }, [name, by]);

  return { ...found, reload: () => void load() };
}

/** The time that fragments take, with some room. */
function around(list: Fragment[], by: Clock): Range | undefined {
  const first = list[0];
  if (!first) return undefined;
  const to = Math.max(...list.slice(-100).map((f) => f[by] + f.length));
  const room = Math.max(1000, (to - first[by]) / 50);
  return { from: Math.floor((first[by] - room) / 1000) * 1000, to: Math.ceil((to + room) / 1000) * 1000 };
}
