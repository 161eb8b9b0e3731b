import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Link from "@cloudscape-design/components/link";
import RadioGroup from "@cloudscape-design/components/radio-group";
import { DeleteThingShadowCommand, GetThingShadowCommand, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { bytesOf, namedShadows, sendData, textOf, unless } from "../api";
import { noProperties, shadowNameFault } from "../things/properties";
import { readShadow, type ShadowDocument } from "./topics";

export const classic = "Classic Shadow";

interface Row extends ShadowDocument {
  name?: string; // none: the classic one
}

export const shadowLink = (thing: string, shadow?: string) => to(["iot", "things", "details", thing, "shadow"], { name: shadow });

/** getShadow is a shadow's document; undefined: there is none. */
export const getShadow = async (thingName: string, shadowName?: string): Promise<string | undefined> => {
  const got = await unless("ResourceNotFoundException", () => sendData(new GetThingShadowCommand({ thingName, shadowName })));
  return got && textOf(got.payload);
};

/** Shadows lists the shadows of a thing. */
export function Shadows({ name }: { name: string }) {
  const notify = useNotify();
  const shadows = useLoad(
    async () => {
      const names = [undefined, ...(await namedShadows(name))];
      const rows = await Promise.all(names.map(async (n): Promise<Row | undefined> => {
        const text = await getShadow(name, n);
        return text === undefined ? undefined : { ...readShadow(text), name: n };
      }));
      return rows.filter((r) => r !== undefined);
    },
    [name],
    5_000,
  );
  const [selected, select] = useState<Row[]>([]);
  const [asking, ask] = useState<"create" | "delete">();
  return (
    <>
      <List
        variant="container"
        title="Device Shadows"
        description="Device Shadows allow connected devices to sync states with AWS. You can also get, update, or delete the state information of this thing's shadow using either HTTPs or MQTT topics."
        items={shadows}
        id={(s) => s.name ?? classic}
        columns={[
          { id: "name", header: "Name", text: (s) => s.name ?? classic, cell: (s) => <Link href={shadowLink(name, s.name)}>{s.name ?? classic}</Link> },
          { id: "version", header: "Version", text: (s) => s.version, width: 110 },
          { id: "updated", header: "Last updated", text: (s) => s.timestamp, cell: (s) => time(s.timestamp === undefined ? undefined : new Date(s.timestamp * 1000)) },
        ]}
        empty={{ title: "No shadows", text: "This thing has no Device Shadow." }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => ask("delete")}>
              Delete
            </Button>
            <Button onClick={() => ask("create")}>Create Shadow</Button>
          </>
        )}
      />
      {asking === "create" && <CreateShadow thing={name} has={shadows.data?.map((s) => s.name) ?? []} onDismiss={() => ask(undefined)} />}
      {asking === "delete" && (
        <ConfirmModal
          title={selected.length === 1 ? `Delete ${selected[0]?.name ?? classic}?` : `Delete ${selected.length} shadows?`}
          verb="Delete"
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            for (const s of selected) await sendData(new DeleteThingShadowCommand({ thingName: name, shadowName: s.name }));
            notify({ type: "success", content: selected.length === 1 ? "Shadow deleted." : `${selected.length} shadows deleted.` });
            select([]);
            await shadows.reload();
          }}
        >
          The state that devices and applications left in it is gone then. A later shadow of that name goes on from its version.
        </ConfirmModal>
      )}
    </>
  );
}

function CreateShadow({ thing, has, onDismiss }: { thing: string; has: (string | undefined)[]; onDismiss: () => void }) {
  const hasClassic = has.includes(undefined);
  const [chosen, choose] = useState<string>();
  const [name, setName] = useState("");
  const kind = hasClassic ? "named" : (chosen ?? "classic"); // the list may still be on its way
  const named = kind === "named";
  const fault = !named ? undefined : has.includes(name) ? `There is a shadow ${name} already.` : shadowNameFault(name);
  return (
    <ConfirmModal
      title="Create Device Shadow"
      verb="Create"
      ready={!fault}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await sendData(new UpdateThingShadowCommand({ thingName: thing, shadowName: named ? name : undefined, payload: bytesOf(noProperties.shadowDocument) }));
        go(shadowLink(thing, named ? name : undefined));
      }}
    >
      <FormField label="Shadow type">
        <RadioGroup
          value={kind}
          onChange={({ detail }) => choose(detail.value)}
          items={[
            { value: "named", label: "Named shadow", description: "One of several, with a name of its own." },
            { value: "classic", label: "Unnamed shadow (classic)", description: hasClassic ? "This thing has one already." : "A thing can have only one unnamed shadow.", disabled: hasClassic },
          ]}
        />
      </FormField>
      {named && (
        <FormField label="Shadow name" constraintText="Up to 64 letters, digits, and : _ -" errorText={name && fault}>
          <Input value={name} onChange={({ detail }) => setName(detail.value)} />
        </FormField>
      )}
    </ConfirmModal>
  );
}
