import Button from "@cloudscape-design/components/button";
import { useState, type ReactNode } from "react";
import { useLoad, type Loaded } from "./load";

/** A page of a list that may be long, and where the next one begins. */
export interface Page<T> {
  items: T[];
  next?: string;
}

export interface Many<T> extends Loaded<T[]> {
  /** Says that there are more, with a button that gets them; nothing when that is all. */
  note?: ReactNode;
  /** Whether there are more than these. */
  more?: boolean;
}

/** How many of a long list are asked for at first, and how many more each time. */
const step = 1000;

/** useMany is useLoad for a list that may be too long to be shown whole. */
export function useMany<T>(page: (next?: string) => Promise<Page<T>>, deps: unknown[], what: string, every?: number): Many<T> {
  const [limit, setLimit] = useState(step);
  const { data, ...rest } = useLoad(
    async () => {
      const items: T[] = [];
      let next: string | undefined;
      do {
        const p = await page(next);
        items.push(...p.items);
        next = p.next;
      } while (next && items.length < limit);
      return { items, more: next !== undefined };
    },
    [...deps, limit],
    every,
  );
  return {
    ...rest,
    data: data?.items,
    more: data?.more ?? false,
    note: data?.more && (
      <>
        The first {data.items.length.toLocaleString("en-US")} {what} are shown.{" "}
        <Button variant="inline-link" loading={rest.loading} onClick={() => setLimit((n) => n + step)}>
          Load more
        </Button>
      </>
    ),
  };
}
