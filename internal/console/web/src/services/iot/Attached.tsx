import Button from "@cloudscape-design/components/button";
import type { ReactNode } from "react";
import { useState } from "react";
import { useNotify } from "../../frame/notices";
import { ConfirmModal } from "../../kit/ConfirmModal";
import { List, type Column } from "../../kit/ListPage";
import type { Loaded } from "../../kit/load";

interface Props<T> {
  title: string;
  description?: ReactNode;
  items: Loaded<T[]>;
  id: (item: T) => string;
  columns: Column<T>[];
  empty: string;
  /** One of them, in a sentence: policy. */
  one: string;
  /** Whose they are, in a sentence: this certificate. */
  whose: string;
  attach?: string; // what the button says: Attach policies
  detach?: string; // Detach
  onAttach?: () => void;
  onDetach: (item: T) => Promise<unknown>;
  warning: string; // of what detaching means
  more?: ReactNode;
}

/** Attached lists what is attached to something, and detaches it. */
export function Attached<T>(p: Props<T>) {
  const notify = useNotify();
  const [selected, select] = useState<T[]>([]);
  const [asking, ask] = useState(false);
  const verb = p.detach ?? "Detach";
  const names = selected.length === 1 ? p.id(selected[0] as T) : `${selected.length} ${p.one === "policy" ? "policies" : p.one + "s"}`;
  return (
    <>
      <List
        variant="container"
        title={p.title}
        description={p.description}
        items={p.items}
        id={p.id}
        columns={p.columns}
        filter={`Search ${p.title.toLowerCase()}`}
        empty={{ title: `No ${p.title.toLowerCase()}`, text: p.empty }}
        select="multi"
        selected={selected}
        onSelect={select}
        page={20}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => ask(true)}>
              {verb}
            </Button>
            {p.more}
            {p.onAttach && <Button onClick={p.onAttach}>{p.attach}</Button>}
          </>
        )}
      />
      {asking && (
        <ConfirmModal
          title={`${verb} ${names}?`}
          verb={verb}
          onDismiss={() => ask(false)}
          onConfirm={async () => {
            for (const item of selected) await p.onDetach(item);
            select([]);
            notify({ type: "success", content: `${names}: no longer with ${p.whose}.` });
            await p.items.reload();
          }}
        >
          <span className="words">{p.warning}</span>
        </ConfirmModal>
      )}
    </>
  );
}
