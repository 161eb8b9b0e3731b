import { useState } from "react";
import { ConfirmModal } from "../../kit/ConfirmModal";
import { List, type Column } from "../../kit/ListPage";
import type { Many } from "../../kit/many";

interface Props<T> {
  title: string;
  verb: string;
  /** What the list in it is called: Policies. */
  what: string;
  items: Many<T>;
  id: (item: T) => string;
  columns: Column<T>[];
  /** The ids of those that are there already. */
  except?: string[];
  empty: string;
  single?: boolean;
  onPick: (picked: T[]) => Promise<void>;
  onDismiss: () => void;
}

/** Pick asks in a dialog which ones, by check marks. */
export function Pick<T>(p: Props<T>) {
  const [picked, pick] = useState<T[]>([]);
  return (
    <ConfirmModal title={p.title} verb={p.verb} large ready={picked.length > 0} onDismiss={p.onDismiss} onConfirm={() => p.onPick(picked)}>
      <List
        variant="embedded"
        title={p.what}
        description={p.items.note}
        items={{ ...p.items, data: p.items.data?.filter((i) => !p.except?.includes(p.id(i))) }}
        id={p.id}
        columns={p.columns}
        filter={`Search ${p.what.toLowerCase()}`}
        empty={{ title: `No ${p.what.toLowerCase()}`, text: p.empty }}
        select={p.single ? "single" : "multi"}
        selected={picked}
        onSelect={pick}
        page={10}
      />
    </ConfirmModal>
  );
}
