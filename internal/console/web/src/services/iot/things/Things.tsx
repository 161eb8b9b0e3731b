import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ThingAttribute } from "@aws-sdk/client-iot";
import { useEffect, useRef, useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import type { Deleting } from "../../../kit/DeletableList";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { useMany } from "../../../kit/many";
import { deleteThing, listTypes, pageOfThings, thingNamed, type ThingFilter } from "../api";
import { thingColumns, thingLink } from "../columns";
import { nameFault } from "../names";

/** Things is the list of the account's things. */
export function Things() {
  const notify = useNotify();
  const [filter, setFilter] = useState<ThingFilter>({});
  const things = useMany((next) => pageOfThings(filter, next), [filter.type, filter.attribute, filter.value], "things", 15_000);
  const [selected, select] = useState<ThingAttribute[]>([]);
  const [doomed, doom] = useState(false);
  // Of what is not in the list yet, a thing is found by its whole name.
  const [sought, seek] = useState("");
  const search = useLater(seek);
  const named = useLoad(async () => (things.more && !nameFault(sought, "thing name") ? thingNamed(sought, filter) : undefined), [sought, things.more, filter.type, filter.attribute, filter.value]);
  const also = named.data && !things.data?.some((t) => t.thingName === named.data?.thingName) ? [named.data] : [];
  return (
    <>
      <List
        title="Things"
        description={
          <SpaceBetween size="xxs">
            {"An IoT thing is a representation and record of your physical device in the cloud."}
            {things.note}
            {things.more && "The search looks through these, and for the thing of exactly that name."}
          </SpaceBetween>
        }
        items={{ ...things, data: things.data && [...things.data, ...also] }}
        id={(t) => t.thingName ?? ""}
        columns={[
          ...thingColumns,
          { id: "attributes", header: "Attributes", text: (t) => Object.entries(t.attributes ?? {}).map(([k, v]) => `${k}=${v}`).join(", ") },
          { id: "version", header: "Version", text: (t) => t.version, width: 110 },
        ]}
        filter="Search things"
        onSearch={search}
        narrow={<Narrow onChange={setFilter} />}
        empty={
          filter.type || filter.attribute
            ? { title: "No things found", text: "No thing has this type and attribute." }
            : { title: "You don't have any things yet", text: "A thing is the representation of a device in the cloud.", action: <Button href="#/iot/things/create">Register a thing</Button> }
        }
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length !== 1} onClick={() => go(thingLink(still[0]?.thingName ?? "") + "/edit")}>
              Edit
            </Button>
            <Button disabled={still.length === 0} onClick={() => doom(true)}>
              Delete
            </Button>
            <ButtonDropdown
              variant="primary"
              mainAction={{ text: "Create", onClick: () => go("#/iot/things/create") }}
              ariaLabel="More ways to create things"
              items={[
                { id: "create-single", text: "Create single thing" },
                { id: "create-many", text: "Create many things at once" },
              ]}
              onItemClick={({ detail }) => go(`#/iot/things/${detail.id}`)}
            />
          </>
        )}
      />
      {doomed && (
        <DeleteThings
          names={selected.map((t) => t.thingName ?? "")}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: selected.length === 1 ? `Thing ${selected[0]?.thingName} deleted.` : `${selected.length} things deleted.` });
            select([]);
            return things.reload();
          }}
        />
      )}
    </>
  );
}

/** useLater calls when nothing has changed for a moment. */
function useLater(call: (text: string) => void): (text: string) => void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (text) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => call(text.trim()), 300);
  };
}

/** Narrow asks the server for less: things of a type, things with an attribute. */
function Narrow({ onChange }: { onChange: (f: ThingFilter) => void }) {
  const types = useLoad(listTypes, []);
  const [filter, set] = useState<ThingFilter>({});
  useEffect(() => {
    // An attribute is asked for together with its value.
    const timer = setTimeout(() => onChange(filter.attribute && filter.value ? filter : { type: filter.type }), 300);
    return () => clearTimeout(timer);
  }, [filter, onChange]);
  const options = [{ value: "", label: "All thing types" }, ...(types.data ?? []).map((t) => ({ value: t.thingTypeName ?? "", label: t.thingTypeName ?? "" }))];
  return (
    <SpaceBetween direction="horizontal" size="s">
      <Select
        ariaLabel="Filter by thing type"
        options={options}
        selectedOption={options.find((o) => o.value === (filter.type ?? "")) ?? null}
        onChange={({ detail }) => set((f) => ({ ...f, type: detail.selectedOption.value || undefined }))}
      />
      <Input ariaLabel="Attribute key" placeholder="Attribute key" value={filter.attribute ?? ""} onChange={({ detail }) => set((f) => ({ ...f, attribute: detail.value.trim() }))} />
      <Input ariaLabel="Attribute value" placeholder="Value, or prefix*" value={filter.value ?? ""} onChange={({ detail }) => set((f) => ({ ...f, value: detail.value.trim() }))} />
    </SpaceBetween>
  );
}

export function DeleteThings({ names, onDismiss, onDeleted }: { names: string[] } & Deleting) {
  const [first = ""] = names;
  return (
    <ConfirmModal
      title={names.length === 1 ? `Delete ${first}?` : `Delete ${names.length} things?`}
      verb="Delete"
      typed={names.length === 1 ? first : "delete"}
      onDismiss={onDismiss}
      onConfirm={async () => {
        for (const name of names) await deleteThing(name);
        await onDeleted();
      }}
    >
      Certificates are detached and stay, shadows are deleted. This cannot be undone.
    </ConfirmModal>
  );
}
