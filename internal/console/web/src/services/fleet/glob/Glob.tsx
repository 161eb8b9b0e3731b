import Button from "@cloudscape-design/components/button";
import Input from "@cloudscape-design/components/input";
import Link from "@cloudscape-design/components/link";
import { useEffect, useState } from "react";
import { useNotify } from "../../../frame/notices";
import { replaceQuery, to, usePlace } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import type { Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useMany } from "../../../kit/many";
import { dateOf, deleteGlob, globPage, type GlobKey } from "../api";
import { bytes } from "../report";
import { EntryPanel } from "./EntryPanel";

/** Glob is what all tests and their devices share: values by their keys. */
export function Glob() {
  const notify = useNotify();
  const { query } = usePlace();
  const prefix = query.get("prefix") ?? "";
  const [typed, setTyped] = useState(prefix);
  const keys = useMany((next) => globPage(prefix, next), [prefix], "keys", 5_000);
  const [selected, select] = useState<GlobKey[]>([]);
  const [doomed, doom] = useState<GlobKey[]>();
  const [adding, add] = useState(false);

  useEffect(() => {
    if (typed === prefix) return;
    const timer = setTimeout(() => replaceQuery("prefix", typed || undefined), 300);
    return () => clearTimeout(timer);
  }, [typed, prefix]);

  return (
    <>
      <List
        title="Glob"
        description={keys.note ?? "What tests and their devices share, kept from run to run: glob.get(key) and glob.set(key, value) in scripts."}
        items={keys}
        id={(k) => k.globKey}
        columns={[
          { id: "key", header: "Key", text: (k) => k.globKey, cell: (k) => <Link href={to(["fleet", "glob", "details", k.globKey])}><span className="words">{k.globKey}</span></Link> },
          { id: "size", header: "Size", text: (k) => k.size, cell: (k) => bytes(k.size) },
          { id: "modified", header: "Last modified", text: (k) => dateOf(k.lastModifiedAt), cell: (k) => time(dateOf(k.lastModifiedAt)) },
        ]}
        narrow={<Input type="search" value={typed} placeholder="Keys that begin with" ariaLabel="Keys that begin with" onChange={({ detail }) => setTyped(detail.value)} spellcheck={false} />}
        empty={
          prefix
            ? { title: "No keys", text: `No key begins with ${prefix}.`, action: <Button onClick={() => setTyped("")}>Clear filter</Button> }
            : { title: "The glob is empty", text: "Tests put values here: aws-iot-connector the endpoint, keys and certificates of the devices that it registers.", action: <Button onClick={() => add(true)}>Add entry</Button> }
        }
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still)}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => add(true)}>
              Add entry
            </Button>
          </>
        )}
      />
      {adding && (
        <EntryPanel
          onDismiss={() => add(false)}
          onSaved={(key) => {
            add(false);
            notify({ type: "success", content: `${key} saved.` });
            return keys.reload();
          }}
        />
      )}
      {doomed && (
        <DeleteEntries
          keys={doomed.map((k) => k.globKey)}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: doomed.length === 1 ? `${doomed[0]?.globKey} deleted.` : `${doomed.length} entries deleted.` });
            return keys.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteEntries({ keys, onDismiss, onDeleted }: { keys: string[] } & Deleting) {
  return (
    <ConfirmModal
      title={keys.length === 1 ? `Delete ${keys[0]}?` : `Delete ${keys.length} entries?`}
      verb="Delete"
      onDismiss={onDismiss}
      onConfirm={async () => {
        for (const key of keys) await deleteGlob(key);
        await onDeleted();
      }}
    >
      A private key that is nowhere else is lost with it: its device has to be registered anew. This cannot be undone.
    </ConfirmModal>
  );
}
