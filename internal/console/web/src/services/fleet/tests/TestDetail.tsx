import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useEffect, useRef, useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, replaceQuery, to } from "../../../frame/route";
import { DetailPage } from "../../../kit/DetailPage";
import { download } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { time } from "../../../kit/format";
import { useAction, useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { dateOf, getTest } from "../api";
import { documentOf, readModel, type Model } from "../model";
import { RunList } from "../runs/RunList";
import { Status } from "../runs/Status";
import { DocumentTab } from "./DocumentTab";
import { changed, save, untouched, useDraft, useFaults, type Draft } from "./draft";
import { FaultList } from "./FaultList";
import { ProtocolTab } from "./ProtocolTab";
import { RunDialog } from "./RunDialog";
import { SettingsTab } from "./SettingsTab";
import { Stages } from "./Stages";
import { DeleteTest } from "./Tests";

/** TestDetail is the screen of a test: its device model in an editor, its settings, its results. */
export function TestDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const test = useLoad(async () => {
    const t = await getTest(name);
    const model = readModel(t.modelDocument);
    if ("fault" in model) throw new Error(`The device model cannot be read: ${model.fault}`);
    return { ...t, model };
  }, [name]);
  const { draft, put } = useDraft(name);
  const [dialog, setDialog] = useState<"run" | "delete">();
  const [stage, setStage] = useState<string>();
  const action = useAction();
  const file = useRef<HTMLInputElement>(null);

  const saved = test.data?.model;
  const now = draft ?? untouched(test.data?.test.version ?? 0);
  const model = now.model ?? saved;
  const dirty = draft !== undefined && saved !== undefined && changed(draft, saved);
  const faults = useFaults(model);
  const stale = dirty && test.data !== undefined && draft.version !== test.data.test.version;

  // The browser asks before it closes a window with changes.
  useEffect(() => {
    if (!dirty) return;
    const ask = (e: BeforeUnloadEvent) => e.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [dirty]);

  const change = (part: Partial<Draft>) => put({ ...now, ...part });
  const edit = (m: Model) => change({ model: m });
  const saveAll = async () => {
    if (!dirty || !saved) return;
    await save(name, draft, saved);
    await test.reload();
    put(undefined);
  };
  const take = async (f: File) => {
    const read = readModel(await f.text());
    if ("fault" in read) throw new Error(`${f.name}: ${read.fault}`);
    edit(read);
    notify({ type: "info", content: `${f.name} is in the editor. Save keeps it.` });
  };

  // What is wrong, or in the way, stands above what is edited.
  const notes = (
    <>
      <ErrorBox error={action.error} />
      {stale && <Alert type="warning">The test was changed by somebody else since. Discard your changes to see it as it is now, or export them first.</Alert>}
      <FaultList
        faults={faults}
        onStage={(s) => {
          setStage(s);
          replaceQuery("tab", "stages");
        }}
      />
    </>
  );
  const tab = (id: string, label: string, content: React.ReactNode) => ({
    id,
    label,
    content: (
      <SpaceBetween size="m">
        {notes}
        {content}
      </SpaceBetween>
    ),
  });

  return (
    <>
      <DetailPage
        title={name}
        description={model?.description}
        of={test}
        actions={(t) => (
          <SpaceBetween direction="horizontal" size="xs" alignItems="center">
            {dirty && <StatusIndicator type="pending">Not saved</StatusIndicator>}
            <ButtonDropdown
              items={[
                { id: "export", text: "Export" },
                { id: "import", text: "Import" },
                { id: "discard", text: "Discard changes", disabled: !dirty },
                { id: "delete", text: "Delete" },
              ]}
              onItemClick={({ detail }) => {
                if (detail.id === "export") download(`${name}.json`, documentOf(model ?? t.model) + "\n", "application/json");
                if (detail.id === "import") file.current?.click();
                if (detail.id === "discard") put(undefined);
                if (detail.id === "delete") setDialog("delete");
              }}
            >
              Actions
            </ButtonDropdown>
            <Button disabled={!dirty} loading={action.busy} onClick={() => void action.run(saveAll).then((ok) => ok && notify({ type: "success", content: `Test ${name} saved.` }))}>
              Save
            </Button>
            <Button variant="primary" iconName="caret-right-filled" onClick={() => setDialog("run")}>
              Run
            </Button>
          </SpaceBetween>
        )}
        summary={(t) => [
          { label: "Made from", value: t.test.sampleName ?? "-" },
          { label: "Last modified", value: time(dateOf(t.test.lastModifiedAt)) },
          {
            label: "Result",
            value: t.test.lastRun ? (
              <Link href={to(["fleet", "runs", "details", t.test.lastRun.runId])}>
                <Status of={t.test.lastRun.status} />
              </Link>
            ) : (
              "Not run yet"
            ),
          },
        ]}
        summaryTitle="Test info"
        tabs={(t) =>
          model
            ? [
                tab("stages", "Stages", <Stages model={model} faults={faults} stage={stage} onStage={setStage} onChange={edit} />),
                tab("protocol", "Protocol", <ProtocolTab model={model} onChange={edit} />),
                tab("settings", "Settings", <SettingsTab test={t} model={model} draft={now} onChange={change} />),
                { id: "results", label: "Results", content: <RunList testName={name} /> },
                tab("document", "JSON", <DocumentTab model={model} onChange={edit} />),
              ]
            : []
        }
      />
      <input
        ref={file}
        type="file"
        accept=".json,application/json"
        aria-label="Device model to import"
        hidden
        onChange={(e) => {
          const [chosen] = e.target.files ?? [];
          e.target.value = "";
          if (chosen) void action.run(() => take(chosen));
        }}
      />
      {dialog === "run" && model && <RunDialog test={name} model={model} save={dirty ? saveAll : undefined} onDismiss={() => setDialog(undefined)} />}
      {dialog === "delete" && (
        <DeleteTest
          name={name}
          onDismiss={() => setDialog(undefined)}
          onDeleted={() => {
            put(undefined);
            notify({ type: "success", content: `Test ${name} deleted.` });
            go("#/fleet/tests");
          }}
        />
      )}
    </>
  );
}
