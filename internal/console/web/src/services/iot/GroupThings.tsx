import { useState } from "react";
import { useLoad } from "../../kit/load";
import { useMany } from "../../kit/many";
import { pageOfThings } from "./api";
import { Attached } from "./Attached";
import { nameColumn, thingColumns, thingLink } from "./columns";
import { Pick } from "./Pick";

interface Props {
  /** Of the group. */
  name: string;
  list: (name: string) => Promise<string[]>;
  add: (thing: string) => Promise<unknown>;
  remove: (thing: string) => Promise<unknown>;
  empty: string;
  warning: string; // of what removing means
}

/** GroupThings lists the things of a thing group or a billing group, adds and removes them. */
export function GroupThings({ name, list, add, remove, empty, warning }: Props) {
  const things = useLoad(() => list(name), [name], 15_000);
  const [asking, ask] = useState(false);
  return (
    <>
      <Attached
        title="Things"
        items={things}
        id={(t) => t}
        columns={[nameColumn("Name", thingLink)]}
        one="thing"
        whose={name}
        empty={empty}
        attach="Add things"
        detach="Remove"
        onAttach={() => ask(true)}
        onDetach={remove}
        warning={warning}
      />
      {asking && <AddThings name={name} except={things.data ?? []} add={add} onDismiss={() => ask(false)} onDone={things.reload} />}
    </>
  );
}

function AddThings({ name, except, add, onDismiss, onDone }: { name: string; add: Props["add"]; except: string[]; onDismiss: () => void; onDone: () => Promise<void> }) {
  const things = useMany((next) => pageOfThings({}, next), [], "things");
  return (
    <Pick
      title={`Add things to ${name}`}
      verb="Add things"
      what="Things"
      items={things}
      id={(t) => t.thingName ?? ""}
      columns={thingColumns}
      except={except}
      empty="There are no other things."
      onDismiss={onDismiss}
      onPick={async (picked) => {
        for (const t of picked) await add(t.thingName ?? "");
        await onDone();
      }}
    />
  );
}
