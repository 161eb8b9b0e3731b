import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Checkbox from "@cloudscape-design/components/checkbox";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useState } from "react";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { JsonEditor } from "../../../kit/JsonEditor";
import type { Fault } from "../api";
import { stageFault, stageNames, standard, when, withoutStage, withSequence, withStage, type Model } from "../model";
import { script, stageOf } from "./FaultList";
import { Sequence } from "./Sequence";

interface Props {
  model: Model;
  faults: Fault[];
  /** The stage that is shown; nothing: the first. */
  stage?: string;
  onStage: (name: string) => void;
  onChange: (m: Model) => void;
}

/** Stages is the editor of a model's JavaScript: a tab for each stage. */
export function Stages({ model, faults, stage, onStage, onChange }: Props) {
  const [dialog, setDialog] = useState<"add" | "remove">();
  const names = stageNames(model);
  const shown = stage === script || (stage !== undefined && names.includes(stage)) ? stage : names[0];
  const editor = (name: string, label: string, value: string, change: (text: string) => void) => {
    const mine = faults.filter((f) => stageOf(f) === name).map((f) => ({ line: f.line || 1, column: f.column || 1, message: f.message }));
    return <JsonEditor key={name} language="javascript" label={label} value={value} onChange={change} refused={{ text: value, faults: mine }} height={360} />;
  };
  const own = shown !== undefined && shown !== script && !standard.includes(shown);
  return (
    <SpaceBetween size="m">
      <Tabs
        variant="container"
        ariaLabel="Stages"
        activeTabId={shown}
        onChange={({ detail }) => onStage(detail.activeTabId)}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            {own && (
              <Button onClick={() => setDialog("remove")} ariaLabel={`Remove the stage ${shown}`}>
                Remove
              </Button>
            )}
            <Button iconName="add-plus" onClick={() => setDialog("add")}>
              Add stage
            </Button>
          </SpaceBetween>
        }
        tabs={[
          ...names.map((name) => ({
            id: name,
            label: name,
            content: (
              <SpaceBetween size="xs">
                <Box color="text-body-secondary">{hint(model, name)}</Box>
                {editor(name, `Stage ${name}`, model.stages[name] ?? "", (text) => onChange(withStage(model, name, text)))}
              </SpaceBetween>
            ),
          })),
          {
            id: script,
            label: "Shared script",
            content: (
              <SpaceBetween size="xs">
                <Box color="text-body-secondary">Runs once for each device before everything else: functions and constants for all stages.</Box>
                {editor(script, "Shared script", model.script ?? "", (text) => onChange({ ...model, script: text }))}
              </SpaceBetween>
            ),
          },
        ]}
      />
      <Sequence model={model} onChange={onChange} />
      {dialog === "add" && (
        <AddStage
          model={model}
          onDismiss={() => setDialog(undefined)}
          onAdd={(name, inSequence) => {
            const m = { ...model, stages: { ...model.stages, [name]: "" } };
            onChange(inSequence ? withSequence(m, [...(model.sequence ?? []), name]) : m);
            onStage(name);
          }}
        />
      )}
      {dialog === "remove" && own && (
        <ConfirmModal
          title={`Remove the stage ${shown}?`}
          verb="Remove"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => onChange(withoutStage(model, shown))}
        >
          The test keeps it until you save.
        </ConfirmModal>
      )}
    </SpaceBetween>
  );
}

function hint(m: Model, name: string): string {
  if (standard.includes(name)) return name === "running" && m.sequence?.length ? "Is not run: the model has a sequence of stages." : (when[name] ?? "");
  const turns = (m.sequence ?? []).flatMap((n, i) => (n === name ? [i + 1] : []));
  if (turns.length === 0) return "Is not run: it is not in the sequence.";
  const last = turns.at(-1) === m.sequence?.length;
  return `Runs at iteration ${turns.join(", ")}${last ? " and every later one" : ""}. What it returns is published.`;
}

function AddStage({ model, onAdd, onDismiss }: { model: Model; onAdd: (name: string, inSequence: boolean) => void; onDismiss: () => void }) {
  const [name, setName] = useState("");
  const [inSequence, setInSequence] = useState(true);
  const fault = stageFault(model, name);
  return (
    <ConfirmModal title="Add stage" verb="Add" ready={!fault} onDismiss={onDismiss} onConfirm={async () => onAdd(name, inSequence)}>
      <FormField label="Stage name" errorText={name && fault} constraintText="Up to 64 letters, digits, _ and $.">
        <Input value={name} onChange={({ detail }) => setName(detail.value)} placeholder="createThing" autoComplete={false} autoFocus />
      </FormField>
      <Checkbox checked={inSequence} onChange={({ detail }) => setInSequence(detail.checked)} description="Iterations run the stages of the sequence in turn.">
        At the end of the sequence
      </Checkbox>
    </ConfirmModal>
  );
}
