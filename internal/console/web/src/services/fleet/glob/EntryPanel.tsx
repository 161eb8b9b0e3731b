import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import Textarea from "@cloudscape-design/components/textarea";
import { useState } from "react";
import { checkJSON } from "../../../kit/JsonEditor";
import { putGlob } from "../api";
import { SidePanel } from "../SidePanel";
import { keyFault, valueOf, type Shown } from "./values";

interface Props {
  /** What is edited; nothing: a new entry. */
  of?: Shown & { key: string };
  onSaved: (key: string) => void | Promise<void>;
  onDismiss: () => void;
}

/** EntryPanel edits a value of the glob, or adds one. */
export function EntryPanel({ of, onSaved, onDismiss }: Props) {
  const [key, setKey] = useState(of?.key ?? "");
  const [shown, set] = useState<Shown>({ kind: of?.kind ?? "text", text: of?.text ?? "" });
  const [tried, setTried] = useState(false);
  const wrong = shown.kind === "json" ? checkJSON(shown.text)[0] : undefined;
  return (
    <SidePanel
      title={of ? `Edit ${of.key}` : "Add entry"}
      verb="Save"
      valid={() => {
        setTried(true);
        return !keyFault(key) && !wrong;
      }}
      onSubmit={async () => {
        await putGlob(key, valueOf(shown));
        await onSaved(key);
      }}
      onDismiss={onDismiss}
    >
      {!of && (
        <FormField label="Key" errorText={tried && keyFault(key)}>
          <Input value={key} onChange={({ detail }) => setKey(detail.value)} autoComplete={false} spellcheck={false} />
        </FormField>
      )}
      <SegmentedControl
        label="The value is"
        selectedId={shown.kind}
        onChange={({ detail }) => set({ ...shown, kind: detail.selectedId as Shown["kind"] })}
        options={[
          { id: "text", text: "Text" },
          { id: "json", text: "JSON" },
        ]}
      />
      <FormField label="Value" errorText={tried && wrong && `Ln ${wrong.line}, Col ${wrong.column}: ${wrong.message}`}>
        <Textarea rows={14} value={shown.text} onChange={({ detail }) => set({ ...shown, text: detail.value })} spellcheck={false} />
      </FormField>
    </SidePanel>
  );
}
