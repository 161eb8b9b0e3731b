import Alert from "@cloudscape-design/components/alert";
import FormField from "@cloudscape-design/components/form-field";
import Link from "@cloudscape-design/components/link";
import Select from "@cloudscape-design/components/select";
import { useState } from "react";
import { go, to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Part } from "../../../kit/DetailPage";
import { useLoad } from "../../../kit/load";
import { recall, remember } from "../../../session/region";
import { listRunSettings, startRun } from "../api";
import type { Model } from "../model";
import { inWords } from "../settings/form";

interface Props {
  test: string;
  model: Model;
  /** Keeps what was changed first; nothing: nothing was. */
  save?: () => Promise<void>;
  onDismiss: () => void;
}

/** What was chosen last is offered first. */
const kept = "thingd.fleet.run-setting";

/** RunDialog starts a run with one of the run settings. */
export function RunDialog({ test, model, save, onDismiss }: Props) {
  const settings = useLoad(listRunSettings, []);
  const [picked, pick] = useState(() => recall(kept) ?? "default");
  const chosen = settings.data?.find((s) => s.runSettingName === picked) ?? settings.data?.find((s) => s.runSettingName === "default") ?? settings.data?.[0];
  const few = model.minIterations !== undefined && chosen !== undefined && !chosen.runSettings.duration && (chosen.runSettings.iterations || 1) < model.minIterations;
  return (
    <ConfirmModal
      title={`Run ${test}`}
      verb={save ? "Save and run" : "Run"}
      ready={chosen !== undefined}
      onDismiss={onDismiss}
      onConfirm={async () => {
        if (!chosen) return;
        await save?.();
        const { runId } = await startRun(test, { runSettingName: chosen.runSettingName });
        remember(kept, chosen.runSettingName);
        go(to(["fleet", "runs", "details", runId]));
      }}
    >
      <Part of={settings}>
        {(list) => (
          <FormField label="Run setting" description={chosen && inWords(chosen.runSettings)} secondaryControl={<Link href={to(["fleet", "run-settings", "details", chosen?.runSettingName ?? ""])}>Edit</Link>}>
            <Select
              selectedOption={chosen ? { value: chosen.runSettingName, label: chosen.runSettingName } : null}
              options={list.map((s) => ({ value: s.runSettingName, label: s.runSettingName, description: inWords(s.runSettings) }))}
              onChange={({ detail }) => detail.selectedOption.value && pick(detail.selectedOption.value)}
              filteringType={list.length > 10 ? "auto" : "none"}
            />
          </FormField>
        )}
      </Part>
      {few && (
        <Alert type="warning">
          The test needs at least {model.minIterations} iterations; this run setting has {chosen?.runSettings.iterations || 1}.
        </Alert>
      )}
    </ConfirmModal>
  );
}
